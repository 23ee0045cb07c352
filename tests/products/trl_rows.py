"""Preference rows and what TRL's own function makes unpaired rows of, both written by `datasets`, as JSON Lines and as Parquet."""
import json
import sys
from pathlib import Path

from datasets import Dataset
from trl import unpair_preference_dataset

folder = Path(sys.argv[1])
for kind, pairs in json.loads(sys.argv[2]).items():
    preference = Dataset.from_list(pairs)
    for written, rows in (("pairs", preference), ("rows", unpair_preference_dataset(preference))):
        rows.to_json(folder / f"{kind}-{written}.jsonl")
        rows.to_parquet(folder / f"{kind}-{written}.parquet")
