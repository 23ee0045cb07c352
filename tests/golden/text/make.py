"""Makes the fixtures beside it with transformers: what it renders (templates.json), what it tokenises (tokens.json),
which tokens it takes from the files beside tokenizer.json (declared.json), and what small templates print (expressions.json).

    python3 -m venv V && V/bin/pip install transformers==5.24.0 tokenizers==0.23.3 jinja2==3.1.6
    V/bin/python tests/golden/text/make.py templates tokens declared expressions

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


VALUES = {
    "s": "Hé🙂llo wörld, hello", "ascii": "hello world", "e": "", "lines": "a\n\n b\r\nc", "quote": "it's \"x\"", "num": "12", "tab": "a\tb\\",
    "l": [3, 1, 2], "names": ["b", "A", "c", "a"], "mixed": [1, "é'", None, True, 1.5, [], {}], "d": {"b": 1, "a": "x", "c": None}, "ed": {}, "el": [],
    "i": 7, "neg": -7, "f": 2.5, "whole": 3.25, "t": True, "n": None,
    "rows": [{"k": "x", "v": 2}, {"k": "y", "v": 1}, {"k": "x"}], "nested": {"a": [1, {"b": "🙂"}], "z": False}, "html": "<a href='x'>&é</a>",
}
EXPRESSIONS = """
s[0]|s[1]|s[2]|s[3]|s[-1]|s[-16]|s[2:4]|s[:3]|s[3:]|s[::-1]|s[-5:]|s[::2]|s[1:8:3]|s[100]|s[100:]|ascii[0:0]|s[none:2]|s[2][0]
s|length#s|count#s|list|length#s|first#s|last#s|reverse#s|list#s|upper#s|lower#s|title#s|capitalize#ascii|title#quote|title#s|trim#s|string
s.upper()|s.lower()|s.title()|quote.title()|s.capitalize()|s.find('🙂')|s.find('l')|s.find('zz')|s.rfind('l')|s.index('w')|s.count('l')|s.startswith('Hé')
s.startswith(('x', 'Hé'))|s.endswith('o')|s.isdigit()|num.isdigit()|s.isalpha()|ascii.isupper()|ascii.islower()|e.isspace()|s.replace('l', 'L')|s.replace('l', 'L', 1)
s.replace('l', 'L', -1)|s.replace('', '-')|s.replace('', '-', 3)|s.replace('l', '$&')|s.split()|s.split(' ')|s.split('l')|s.split('l', 1)|s.split('l', 0)|s.split(none, 1)
s.split(maxsplit=1)|s.split('l', maxsplit=1)|s.rsplit('l', 1)|s.rsplit(' ')|s.rsplit(none, 1)|lines.split('\\n')|lines.splitlines()|lines.split()|e.split()|e.split(',')|s.partition(', ')|s.rpartition('l')
s.removeprefix('Hé')|s.removesuffix('lo')|'-'.join(names)|', '.join(['é', '🙂'])|s.zfill(25)|num.zfill(5)|ascii.center(15)|ascii.ljust(13) ~ '.'|ascii.rjust(13)|s.swapcase()|s.casefold()
'%s and %s' % ('a', 1)|'%d' % 5|'{} {}'.format(1, 'x')|'{0}{1}{0}'.format('a', 'b')|'a' * 3|3 * 'ab'|[1] * 2|'a' < 'b'|'🙂' > 'ﬀ'|'a' in s|'zz' not in s|'' in s|1 in l|'1' in l|true in l
'b' in d|'zz' in d|none in mixed|[] in mixed|{} in mixed|1.0 in l|'a' in names|[1] + [2]|l + names|s ~ 1|s ~ none|s ~ true|s ~ l|s ~ d|1 ~ 2|none ~ none|nope ~ 'x'|1.0 ~ ''
d|l|names|mixed|ed|el|nested|rows|t|n|f|whole|i|1.0|2.50|1e3|1e16|1e22|0.1 + 0.2|1e-5|1.5e-7|100000000000000000000.0|-0.0|1/3|7/7|(1, 2)|(1,)|()|[(1, 'a')]|true|none|quote|tab|[quote]|[tab, e, lines]|{'k': quote}
{'a': 1}|{'a': {'b': [none, true]}}|{1: 2}|['\\x00\\x7f\\u00a0é🙂\\u200b']|[html]|d|string#l|string#n|string#t|string#1.0|string#f|string
i // 2|neg // 2|i % 3|neg % 3|i / 2|2 ** 3|2 ** -1|2.0 * 3|i + 1.5|7.0 // 2|-i|+i|- -i|i // 2.0|1 == 1.0|1 == true|'1' == 1|none == false|[] == []|{'a': 1} == {'a': 1.0}|[1, 2] == (1, 2)|1 < 2.5|i > 3 and i < 10|1 < 2 < 3|not l|not el|not e|not 0|not 0.0|not none|not nope
d is mapping|l is mapping|s is mapping|d is iterable|l is iterable|s is iterable|i is iterable|(1,2) is iterable|n is iterable|nope is iterable|d is sequence|l is sequence|s is sequence|i is sequence|s is string|i is number|f is number|t is number|t is integer|i is integer|f is integer|f is float|i is float|t is boolean
i is odd|i is even|i is divisibleby 7|i is divisibleby(2)|n is none|nope is defined|nope is undefined|s is lower|ascii is lower|ascii is upper|s is not none|t is true|t is false|1 is true|i is eq 7|i is eq(7)|i is gt 3|i is lt(3)|i is ge 7|i is ne 7|i is in l|3 is in(l)|t is sameas true|raise_exception is callable|range is callable|d.get is callable
l|sort#l|sort(reverse=true)#names|sort#names|sort(case_sensitive=true)#rows|sort(attribute='k')|map(attribute='k')|list#l|first#l|last#el|first#el|last#l|length#d|length#ed|length#l|sum#rows|map(attribute='v', default=0)|sum#l|min#l|max#names|min#names|join#names|join('-')#l|join(', ')#mixed|join('|')#rows|map(attribute='k')|join(',')
l|reverse|list#l|unique|list#rows|map(attribute='k')|unique|list#names|map('upper')|list#names|map('upper')|join#rows|selectattr('v')|list#rows|selectattr('k', 'equalto', 'x')|list#rows|selectattr('v', 'defined')|list|length#rows|rejectattr('k', 'equalto', 'x')|list#l|select('odd')|list#l|reject('odd')|list#names|select('in', ['a', 'c'])|list#rows|selectattr('k', 'in', ['y'])|list#rows|rejectattr('v', 'defined')|list#[nested]|selectattr('a.0', 'eq', 1)|list|length#rows|selectattr('v', 'undefined')|list#names|unique|list#'1_0'|int#' 7.9 '|int#rows|join(', ', attribute='k')#rows|groupby('k')|list|length#l|batch(2)|list#l|slice(2)|list#names|list
d|items|list#d|dictsort#d|dictsort(reverse=true)#d|dictsort(true, 'key')#d|dictsort(by='value')#d.items()#d.items()|list#d.keys()|list#d.values()|list#d.get('a')#d.get('zz')#d.get('zz', 5)#d.get('c', 5)#d['a']#d.a#d.zz#d['zz']#d|list#ed|list#d|first#d|join(',')#d|tojson#l|tojson#mixed|tojson#nested|tojson#s|tojson#n|tojson#1.0|tojson#html|tojson#quote|tojson#tab|tojson
nested|tojson(indent=2)#nested|tojson(indent=4)#d|tojson(indent=0)#ed|tojson(indent=2)#mixed|tojson(indent=1)#s|tojson(ensure_ascii=true)#s|tojson(ensure_ascii=false)#nested|tojson(separators=(',', ':'))#d|tojson(sort_keys=true)#nested|tojson(indent=2, separators=(', ', ': '))#(1, 'é')|tojson#1e22|tojson#0.00001|tojson#d|tojson(2)#nope|tojson#'\\u2028\\x7f'|tojson
nope|default('x')#n|default('x')#n|default('x', true)#e|default('x', boolean=true)#e|d('y', true)#nope.x is defined#nope|length#nope|upper#n|upper#nope|join#nope|list#none|string#s|replace('l', 'L')#s|replace('l', 'L', 1)#i|replace('7', '8')#s|int#num|int#'12.7'|int#'x'|int(5)#' 12 '|int#'0x1f'|int(0, 16)#f|int#-2.7|int#t|int#'1.5'|float#'x'|float(2.5)#i|float#'1e3'|float
f|round#2.567|round(2)#2.5|round#3.5|round#-2.5|round#7|round#2.4|round(0, 'ceil')#2.6|round(method='floor')#neg|abs#-1.5|abs#s|wordcount#s|truncate(8)#ascii|truncate(8, true, '')#ascii|center(15)#html|escape#html|e#html|safe#html|forceescape#html|striptags#s|urlencode#'%s-%s'|format('a', 1)#lines|indent#lines|indent(2, true)#lines|indent('--')#lines|indent(2, blank=true)#ascii|wordwrap(5)#d|pprint#1000|filesizeformat#l|random is defined#d|xmlattr#s|trim('Ho')
range(3)|range(3)|list#range(1, 4)|list#range(5, 0, -2)|list#range(0)|list|[x for x in l]|dict(a=1)#dict(a=1, b='x').a#namespace(a=1).a#'a' if t else 'b'#'a' if nope#('a' if nope) is defined#l[0]#l[-1]#l[5]#l[5] is defined#l[1:]#l[::-1]#l[:-1]#names[1:][0]#rows[0].k#rows[-1]['v']#rows[2].v is defined#nested.a[1].b#nested['a'][0]#(1, 2)[0]#(1, 2, 3)[1:]#s.x is defined#d.items is defined#l.append is defined#l.pop is defined
""".strip()
# an expression with pipes in it stands on a line whose separator is #
PROGRAMS = """
{% for c in s %}[{{ c }}]{% endfor %}
{% for k in d %}{{ k }},{% endfor %}
{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}
{% for k, v in d|dictsort %}{{ k }}={{ v }};{% endfor %}
{% for x in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }}{{ loop.depth0 }} {% endfor %}
{% for x in l %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }};{% endfor %}
{% for x in l %}{{ loop.previtem is defined }}{{ loop.nextitem is defined }}{% endfor %}
{% for x in l %}{{ loop.cycle('a', 'b') }}{% endfor %}
{% for x in names %}{{ loop.changed(x) }}{% endfor %}
{% for x in l if x > 1 %}{{ x }}:{{ loop.index }}/{{ loop.length }} {% else %}none{% endfor %}
{% for x in el %}{{ x }}{% else %}empty{% endfor %}
{% for x in nope %}{{ x }}{% else %}undefined{% endfor %}
{% for x in l %}{% if loop.index == 2 %}{% continue %}{% endif %}{{ x }}{% else %}none{% endfor %}
{% for x in l %}{% if x == 1 %}{% break %}{% endif %}{{ x }}{% endfor %}
{% for x in l %}{% break %}{% else %}else{% endfor %}
{% for x in l %}{% continue %}{% else %}else{% endfor %}
{% set x = 1 %}{% for y in l %}{% set x = y %}{% endfor %}{{ x }}
{% set x = 1 %}{% if t %}{% set x = 2 %}{% endif %}{{ x }}
{% set ns = namespace(x=1, y=[]) %}{% for y in l %}{% set ns.x = ns.x + y %}{% set ns.y = ns.y + [y] %}{% endfor %}{{ ns.x }} {{ ns.y }}
{% set ns = namespace() %}{{ ns.x is defined }}{% set ns.x = d %}{{ ns.x.b }}
{% set ns = namespace(d) %}{{ ns.a }}{{ ns.b }}
{% for x in l %}{% for y in names %}{{ loop.index }}{% endfor %}{{ loop.index }};{% endfor %}
{% for x in l %}{% set outer = loop %}{% for y in names %}{{ outer.index }}{{ loop.index }} {% endfor %}{% endfor %}
{% for x, y in [[1, 2], (3, 4)] %}{{ x }}-{{ y }} {% endfor %}
{% for x in (1, 2) %}{{ x }}{% endfor %}
{% for x in range(2, 8, 3) %}{{ x }}{% endfor %}
{% for row in rows recursive %}{{ row.k }}{% endfor %}
{% set x, y = 1, 2 %}{{ x }}{{ y }}
{% set x %}a{{ i }}b{% endset %}{{ x }}|{{ x|length }}
{% set x | upper %}a{{ i }}b{% endset %}{{ x }}
{% filter upper %}a{{ s }}{% endfilter %}
{% macro f(a, b=2, c='x') %}({{ a }},{{ b }},{{ c }}){% endmacro %}{{ f(1) }}{{ f(1, c='y') }}{{ f() }}
{% macro f(x) %}{{ x }}{{ caller is defined }}{% endmacro %}{{ f(1) }}
{% macro f() %}<{{ caller() }}>{% endmacro %}{% call f() %}in{% endcall %}
{% macro f(x) %}{% if x > 0 %}{{ x }}{{ f(x - 1) }}{% endif %}{% endmacro %}{{ f(3) }}
{% macro f() %}{{ kwargs }}{% endmacro %}{{ f(k=2) }}
{%- set x = '  a  ' -%} {{- x -}} |{{ x|trim }}|
  {% if t %}
   x
  {% endif %}
y
{# comment #}a{#- c -#} b
{% raw %}{{ x }}{% endraw %}
{{ 'a' 'b' }}
{{ "a\nb\t\\c\'d\"" }}
{{ 'é\u00e9\x41' }}
{{ s if s is string else 'no' }}{{ '' if n is none else n }}
{% if d is mapping and d.b == 1 or nope %}yes{% else %}no{% endif %}
{% if l is iterable and l is not mapping and l is not string %}list{% endif %}
{% if 'a' in d and d['a'] is string and d.get('c') is none %}ok{% endif %}
{% generation %}x{% endgeneration %}
{{ d.items()|list|length }}{{ (d.items()|list)[0][0] }}
{% do l.append(4) %}{{ l }}
{% set _ = l.append(4) %}{{ l }}
{% set _ = d.update({'z': 1}) %}{{ d }}
{% set _ = d.pop('a') %}{{ d }}
{{ l.index(1) }}{{ l.count(3) }}
{{ names|map('lower')|list }}{{ rows|map(attribute='k')|map('upper')|join }}
{{ '%.2f' % f }}{{ '%05d' % i }}{{ '%r' % s }}
{{ rows|selectattr('k', 'equalto', 'x')|map(attribute='v')|first }}
{{ (s ~ 'x')|length }}{{ (s + 'x')[-1] }}{{ ('a', 'b')|join }}
{{ "Today: " + strftime_now('%Y-%m-%d') }}
{% with x = 3 %}{{ x }}{% endwith %}
{% if s[0] == 'H' and s[2] == '🙂' and s[2:3] == '🙂' %}same{% endif %}
{{ [1, 2, 3][::-1] }}{{ 'abc'[::-1] }}{{ (1, 2) + (3,) }}
{% for p in [{'items': 1, 'type': 'x', 'keys': 2}] %}{{ p['items'] }}{{ p['type'] }}{{ p.type }}{% for k, v in p.items() %}{{ k }}{% endfor %}{% endfor %}
{% set x = '\ufeff a \x1c b' %}{{ x.split() }}{{ x.split()|length }}
{{ 1 if 0 else 2 if 0 else 3 }}{{ true and 'x' }}{{ e or 'y' }}{{ n and 1 }}{{ l and 'z' }}
""".strip("\n")


def expressions():
    """What Jinja prints, in the environment of transformers; null where it raises."""
    import datetime

    from transformers.utils import chat_template_utils as utils

    class Clock(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return NOW

    utils.datetime = Clock
    lines = [line.split("#") if "#" in line else line.split("|") for line in EXPRESSIONS.splitlines()]
    sources = [f"{{{{ {each} }}}}" for line in lines for each in line]
    programs = [each for each in PROGRAMS.splitlines()]
    at = programs.index("  {% if t %}")
    programs[at : at + 4] = ["\n".join(programs[at : at + 4])]
    cases = []
    for source in sources + programs:
        try:
            text = utils._compile_jinja_template(source).render(**json.loads(json.dumps(VALUES)))
        except Exception:
            text = None
        cases.append({"source": source, "text": text})
    write("expressions.json", {"now": "2026-02-03T04:05:06Z", "values": VALUES, "cases": cases})


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
