"""Makes the fixtures beside it with transformers: what it renders (templates.json), what it tokenises (tokens.json),
and which tokens it takes from the files beside tokenizer.json (declared.json).

    python3 -m venv V && V/bin/pip install transformers==5.24.0 tokenizers==0.23.3 jinja2==3.1.6
    V/bin/python tests/golden/text/make.py templates tokens declared

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


CORPUS = [
    "Open your orders. How do I get a refund? The answer is in the refund policy, user.",
    "hello world, hello there; the world is open and the orders are there. <|user|> <|assistant|> <|system|>",
    "word words wording \n\n assistant user system 2+2=4 12 123 the the the end. <|im_end|> im_start",
]
TURNS = "{% for m in messages %}{{ '<|' + m.role + '|>\\n' + m.content + eos_token + '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}"
TIGHT = "{% for m in messages %}{% if m.role == 'assistant' %}{{ m.content + eos_token }}{% else %}{{ bos_token + '[INST] ' + m.content + ' [/INST]' }}{% endif %}{% endfor %}"
CHATML = "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"


def tokenizers():
    """Small ones of each kind that puts a mark before words, and one that does not."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    bytes_ = [f"<0x{i:02X}>" for i in range(256)]

    def made(name, model, trainer, normalizer=None, pre=None, decoder=None, added=()):
        tokenizer = Tokenizer(model)
        if normalizer:
            tokenizer.normalizer = normalizer
        if pre:
            tokenizer.pre_tokenizer = pre
        if decoder:
            tokenizer.decoder = decoder
        tokenizer.train_from_iterator(CORPUS * 20, trainer)
        file = json.loads(tokenizer.to_str())
        file["added_tokens"] = [token for token in file["added_tokens"] if token["content"] not in bytes_]
        tokenizer = Tokenizer.from_str(json.dumps(file))
        tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in ["<s>", "</s>"]])
        tokenizer.add_tokens([AddedToken(t, special=False, **options) for t, options in added])
        return name, tokenizer

    def bpe(**options):
        return models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True, **options)

    def trainer(**options):
        return trainers.BpeTrainer(vocab_size=500, special_tokens=["<unk>", "<s>", "</s>", *bytes_], show_progress=False, **options)

    strip = decoders.Strip(" ", 1, 0)
    spaces = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), strip])
    legacy = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    marks = [("<|user|>", {"normalized": False}), ("<|assistant|>", {"normalized": False})]
    yield made("llama_legacy", bpe(), trainer(), legacy, None, spaces)
    yield made("llama_first", bpe(), trainer(), None, pre_tokenizers.Metaspace("▁", "first", split=False), spaces)
    yield made("metaspace_always", bpe(), trainer(), None, pre_tokenizers.Metaspace("▁", "always"), spaces)
    yield made("metaspace_marks", bpe(), trainer(), None, pre_tokenizers.Metaspace("▁", "first"), spaces, marks)
    yield made(
        "unigram",
        models.Unigram(),
        trainers.UnigramTrainer(vocab_size=150, special_tokens=["<unk>", "<s>", "</s>"], unk_token="<unk>", show_progress=False),
        None,
        pre_tokenizers.Metaspace("▁", "always"),
        decoders.Metaspace("▁", "always"),
    )
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    for name, prefix in [("bytes_prefix", True), ("bytes", False)]:
        yield made(
            name,
            models.BPE(),
            trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, special_tokens=["<|im_start|>", "<|im_end|>"], show_progress=False),
            normalizers.NFC(),
            pre_tokenizers.ByteLevel(add_prefix_space=prefix),
            decoders.ByteLevel(),
        )
    yield made(
        "normalised_marks",
        models.BPE(),
        trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, special_tokens=["<|im_start|>", "<|im_end|>"], show_progress=False),
        normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()]),
        pre_tokenizers.ByteLevel(add_prefix_space=False),
        decoders.ByteLevel(),
        [("<|user|>", {"normalized": True}), ("<|end|>", {"normalized": True, "lstrip": True, "rstrip": True})],
    )


def escaped(tokenizer, messages):
    """Null where the tokenizer makes a control token of plain text, which transformers refuses."""
    try:
        return tokenizer.apply_chat_template(messages, add_generation_prompt=True, sanitize_control_tokens=True)["input_ids"]
    except ValueError:
        return None


def tokens():
    from transformers import PreTrainedTokenizerFast

    prompts = ["How do I get a refund?", "2+2=", "hello the</s> the\n<|user|> the\nworld", "<|im_end|>the\n<|im_start|>user\nword", "word "]
    literal = ["hello wor", "The answer:", "The answer: ", "the end.\n", "12"]
    completions = ["Open your orders", " leading space", "\n\nthe end", "word<s>s", "the </s> end", "4", "3 words", "ld", "é🙂"]
    cases, folder = [], HERE / "tokenizers"
    folder.mkdir(exist_ok=True)
    for name, backend in tokenizers():
        template = {"bytes": CHATML, "bytes_prefix": CHATML, "normalised_marks": CHATML, "llama_first": TIGHT}.get(name, TURNS)
        bos, eos = ("<|im_start|>", "<|im_end|>") if template is CHATML else ("<s>", "</s>")
        tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, bos_token=bos, eos_token=eos, chat_template=template)
        if name == "metaspace_marks":  # TURNS puts them together from pieces, which transformers must be told
            tokenizer.chat_control_tokens = ["<|user|>", "<|assistant|>"]
        plain = folder / name
        plain.mkdir(exist_ok=True)
        backend.save(str(plain / "tokenizer.json"), pretty=False)
        (plain / "tokenizer_config.json").write_text(json.dumps({"bos_token": bos, "eos_token": eos, "chat_template": template}))
        encode = lambda text: tokenizer(text, add_special_tokens=False)["input_ids"]
        for content in prompts + literal:
            messages = [{"role": "user", "content": content}]
            is_chat = content in prompts
            prompt = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True) if is_chat else content
            row = {"tokenizer": name, "prompt": messages if is_chat else content, "prompt_tokens": encode(prompt)}
            if is_chat:
                row["escaped"] = escaped(tokenizer, messages)
            known = len(row["prompt_tokens"])
            for completion in completions:
                # as TRL does, but null where a token of the whole reaches over the boundary
                whole = encode(prompt + completion)
                parted = whole[:known] == row["prompt_tokens"]
                cases.append({**row, "completion": completion, "completion_tokens": whole[known:] if parted else None})
    write("tokens.json", {"made_with": "transformers 5.24.0", "cases": cases})


FLAGS = {"lstrip": False, "rstrip": False, "normalized": False, "single_word": False}
X, Y, Z = "<|x|>", "<|y|>", "<|z|>"
DECLARED = [  # tokenizer_config.json, special_tokens_map.json, added_tokens.json
    ({}, None, None),
    ({"additional_special_tokens": [X, Y]}, None, None),
    ({"additional_special_tokens": [{"content": X, **FLAGS, "lstrip": True, "__type": "AddedToken"}]}, None, None),
    ({"additional_special_tokens": [X], "extra_special_tokens": [Y]}, None, None),
    ({"extra_special_tokens": {"image_token": X, "video": Y}}, None, None),
    ({}, {"additional_special_tokens": [X, Y]}, None),
    ({"additional_special_tokens": [Z]}, {"additional_special_tokens": [X, Y]}, None),
    ({"eos_token": X}, None, None),
    ({"image_token": X}, None, None),
    ({}, {"pad_token": X}, None),
    ({}, {"pad_token": {"content": Y, **FLAGS, "rstrip": True}}, None),
    ({}, {"eos_token": X, "image_token": Z}, None),
    ({"additional_special_tokens": ["the", "Ġthe"]}, None, None),
    ({"added_tokens_decoder": {"600": {"content": X, "special": False, "lstrip": True}}, "additional_special_tokens": [X, Y]}, None, None),
    ({"added_tokens_decoder": {"0": {"content": "<|endoftext|>", "special": False, "lstrip": True}}}, None, None),
    ({"added_tokens_decoder": {"9": {"content": Z}, "10": {"content": X}}}, {"additional_special_tokens": [Y], "pad_token": Y}, {Y: 7}),
    ({}, None, {Y: 641, X: 640}),
    ({"additional_special_tokens": [Y]}, None, {Z: 640, Y: 641}),
]


def declared():
    import tempfile

    from transformers import AutoTokenizer

    chat = HERE.parent / "chat"
    own = json.loads((chat / "tokenizer_config.json").read_text())
    text, cases = f"a {X} b{Y} {Z} the <|endoftext|>the", []
    for config, *others in DECLARED:
        files = {"tokenizer_config.json": {**own, **config}}
        files.update({name: value for name, value in zip(["special_tokens_map.json", "added_tokens.json"], others) if value})
        with tempfile.TemporaryDirectory() as folder:
            for name, value in files.items():
                pathlib.Path(folder, name).write_text(json.dumps(value))
            pathlib.Path(folder, "tokenizer.json").write_text((chat / "tokenizer.json").read_text())
            tokenizer = AutoTokenizer.from_pretrained(folder)
        names = {name: str(token) for name, token in tokenizer.special_tokens_map.items() if token}
        tokens = tokenizer(text, add_special_tokens=False)["input_ids"]
        cases.append({"files": files, "text": text, "tokens": tokens, "names": names, "special": tokenizer.all_special_tokens})
    write("declared.json", {"made_with": "transformers 5.24.0"} | {"cases": cases})


def write(name, value):
    rows = ",\n".join(json.dumps(row, ensure_ascii=False) for row in value.pop("cases"))
    head = json.dumps(value, ensure_ascii=False)[:-1]
    (HERE / name).write_text(f'{head}, "cases": [\n{rows}\n]}}\n')


if __name__ == "__main__":
    for what in sys.argv[1:]:
        globals()[what]()
