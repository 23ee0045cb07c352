"""Samples the shipped model as it is, and writes what the tests hold the TypeScript side to.

    python scripts/demo-model/answers.py --model src/demo/model --out tests/golden/demo

base_answers.json: answers of the base at temperature 1 with the verdict of world.py.
tokens.json: texts and token ids of the `tokenizers` package, chat turns rendered by transformers.
"""

import argparse
import json
import random
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

from tokenizer import END, answer_ids, prompt_ids
from world import TOPICS, answer, prompts, verdict

ODD_TEXTS = (
    "Where is my parcel?",
    "  two  spaces\tand a tab\n\nand lines ",
    "Größe 42, naïve café: 3,50 €!",
    "日本語 и русский",
    "thumbs 👍🏽 up",
    "it's we'll I'd 'quoted'",
    "1234567890 v9.2.1 a_b-c/d",
)


@torch.no_grad()
def sample(model, tokenizer: Tokenizer, text: str, rng: torch.Generator, limit: int = 48) -> list[int]:
    """Completion ids at temperature 1, without the end token; cut short at `limit` tokens."""
    end = tokenizer.token_to_id(END)
    ids, past, out = torch.tensor([prompt_ids(tokenizer, text)]), None, []
    while len(out) < limit:
        result = model(ids, past_key_values=past, use_cache=True)
        past = result.past_key_values
        token = torch.multinomial(result.logits[0, -1].softmax(-1), 1, generator=rng)
        if token.item() == end:
            break
        out.append(token.item())
        ids = token[None]
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=800)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer.from_file(str(args.model / "tokenizer.json"))
    chat = AutoTokenizer.from_pretrained(args.model)
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32).eval()

    rng = torch.Generator().manual_seed(args.seed)
    order = random.Random(args.seed)
    rows = []
    for _ in range(args.count):
        prompt = order.choice(prompts())
        completion = tokenizer.decode(sample(model, tokenizer, prompt.text, rng))
        rows.append(
            {
                "prompt": prompt.text,
                "topic": TOPICS[prompt.topic]["name"],
                "unseen": prompt.unseen,
                "completion": completion,
                "verdict": verdict(prompt.topic, completion),
            }
        )
    write_rows(args.out / "base_answers.json", rows)

    tokens = [{"text": text, "ids": tokenizer.encode(text).ids} for text in ODD_TEXTS]
    for prompt in prompts()[::25]:
        text = answer(prompt.topic, order)
        turns = [{"role": "user", "content": prompt.text}]
        rendered = chat.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        ids = chat(rendered, add_special_tokens=False)["input_ids"]
        assert ids == prompt_ids(tokenizer, prompt.text)
        tokens.append({"text": rendered, "turns": turns, "ids": ids})
        tokens.append({"text": text + END, "ids": answer_ids(tokenizer, text)})
    write_rows(args.out / "tokens.json", tokens)

    good = [all(row["verdict"].values()) for row in rows]
    print(f"{sum(good)} of {len(good)} answers are good")


def write_rows(path: Path, rows: list[dict]) -> None:
    """A JSON array, one row a line, so that differences can be read."""
    path.write_text("[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]\n")


if __name__ == "__main__":
    main()
