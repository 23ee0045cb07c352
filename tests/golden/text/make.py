"""Makes templates.json: what transformers renders for the templates beside it.

    python3 -m venv V && V/bin/pip install transformers==5.24.0 jinja2==3.1.6
    V/bin/python tests/golden/text/make.py templates

Run once; the tests read the files. Conversations are random, rich in white space, think blocks and tool calls.
"""

import datetime
import json
import pathlib
import random
import sys

HERE = pathlib.Path(__file__).parent
NOW = datetime.datetime(2026, 2, 3, 4, 5, 6)
SPECIAL = {
    "llama2": ("<s>", "</s>"),
    "zephyr": ("<s>", "</s>"),
    "llama3": ("<|begin_of_text|>", "<|eot_id|>"),
    "llama3_1": ("<|begin_of_text|>", "<|eot_id|>"),
    "llama3_2": ("<|begin_of_text|>", "<|eot_id|>"),
    "deepseek_r1_distill": ("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"),
}
SPACES = ["\n", " ", "\t", "\r\n", "\u00a0", "\x1c", "\x85", "\ufeff", "\u3000", "\n\n", "  "]
WORDS = ["Hello", "word", "<think>", "</think>", "{}", "'s", "日本", "🙂", "é", "\\n", "a", "<b>", "&", '"', "0", "1.5"]


def text(rng):
    parts = [rng.choice(SPACES) if rng.random() < 0.5 else rng.choice(WORDS) for _ in range(rng.randrange(0, 7))]
    if rng.random() < 0.3:
        parts = ["<think>", rng.choice(SPACES), *parts, rng.choice(SPACES), "</think>", rng.choice(SPACES), "answer"]
    return "".join(parts)


def arguments(rng):
    return {rng.choice(["order", "日", "a b"]): rng.choice([7, "x\n", True, None, [1, {"k": "é"}], 1.5])}


def conversation(rng):
    messages = []
    if rng.random() < 0.4:
        messages.append({"role": "system", "content": text(rng)})
    for turn in range(rng.randrange(1, 4)):
        messages.append({"role": "user", "content": text(rng)})
        if rng.random() < 0.3:
            call = {"id": f"c{turn}xxxxxxx", "type": "function", "function": {"name": "refund", "arguments": arguments(rng)}}
            calls = [call] if rng.random() < 0.7 else [call, {**call, "function": {"name": "look", "arguments": {}}}]
            messages.append({"role": "assistant", "content": rng.choice([None, "", text(rng)]), "tool_calls": calls})
            messages += [{"role": "tool", "name": "refund", "content": text(rng), "tool_call_id": call["id"]} for _ in calls]
        messages.append({"role": "assistant", "content": text(rng)})
        if rng.random() < 0.3:
            messages[-1]["reasoning_content"] = text(rng) or "Hm."
    if rng.random() < 0.5:
        messages.append({"role": "user", "content": text(rng) or "?"})
    return messages


def tool(name):
    schema = {"type": "object", "properties": {"order": {"type": "integer", "description": "é <b>"}}, "required": []}
    return {"type": "function", "function": {"name": name, "description": "Pay\nback", "parameters": schema}}


def templates():
    from transformers.utils import chat_template_utils as utils

    class Clock(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return NOW

    utils.datetime = Clock
    rng = random.Random(14)
    cases = []
    for path in sorted((HERE / "templates").glob("*.jinja")):
        source, (bos, eos) = path.read_text(), SPECIAL.get(path.stem, ("", "<|im_end|>"))
        kept = 0
        while kept < 40:
            messages = conversation(rng)
            tools = [tool("refund"), tool("look")] if rng.random() < 0.3 else None
            kwargs = {"enable_thinking": rng.random() < 0.5} if rng.random() < 0.5 else {}
            last = messages[-1]["role"]
            goes_on = last == "assistant" and rng.random() < 0.5
            prompt = last != "assistant"
            try:
                [text], _ = utils.render_jinja_template(
                    [messages], tools, chat_template=source, continue_final_message=goes_on,
                    add_generation_prompt=prompt, bos_token=bos, eos_token=eos, **kwargs,
                )
            except Exception:
                text = None
            if text is None and rng.random() < 0.8 or text is not None and "None" in text:
                continue  # a content that is null prints as None, which nobody wants to train: refused instead
            kept += 1
            cases.append({"template": path.stem, "messages": messages, "tools": tools, "kwargs": kwargs,
                          "add_generation_prompt": prompt, "continue_final_message": goes_on, "text": text})
    write("templates.json", {"now": "2026-02-03T04:05:06Z", "special": SPECIAL, "cases": cases})


def write(name, value):
    rows = ",\n".join(json.dumps(row, ensure_ascii=False) for row in value.pop("cases"))
    head = json.dumps(value, ensure_ascii=False)[:-1]
    (HERE / name).write_text(f'{head}, "cases": [\n{rows}\n]}}\n')


if __name__ == "__main__":
    for what in sys.argv[1:]:
        globals()[what]()
