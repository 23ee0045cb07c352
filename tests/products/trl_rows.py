"""Preference rows and what TRL's own function makes unpaired rows of, both written as JSON Lines by `datasets`."""
import json
import sys
from pathlib import Path

from datasets import Dataset
from trl import unpair_preference_dataset

folder = Path(sys.argv[1])
for kind, pairs in json.loads(sys.argv[2]).items():
    preference = Dataset.from_list(pairs)
    preference.to_json(folder / f"{kind}-pairs.jsonl")
    unpair_preference_dataset(preference).to_json(folder / f"{kind}-rows.jsonl")
