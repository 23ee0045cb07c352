"""The demo's world as the trainer sees it: src/demo/world/world.json, the base model's habits, and the users' judgement.

The phrases have one source, world.json, which the daemon's demo reads too. `judge` follows src/demo/world/judge.ts rule by
rule; the verdicts in tests/golden/demo/base_answers.json hold the two together.
"""

import json
import random
import re
from dataclasses import dataclass
from pathlib import Path

WORLD_FILE = Path(__file__).resolve().parents[2] / "src" / "demo" / "world" / "world.json"
WORLD = json.loads(WORLD_FILE.read_text())
TOPICS = WORLD["topics"]


@dataclass(frozen=True)
class Prompt:
    text: str
    topic: int
    unseen: bool


def prompts() -> list[Prompt]:
    return [
        Prompt(text, i, unseen)
        for i, topic in enumerate(TOPICS)
        for unseen, texts in ((False, topic["seen"]), (True, topic["unseen"]))
        for text in texts
    ]


# ---- how the base model answers -------------------------------------------------------------------------------------

P_POLITE = 0.80
P_COMPLETE = 0.80
P_ON_TOPIC = 0.80


def answer(topic: int, rng: random.Random) -> str:
    """One answer of the base: each of the three virtues comes and goes on its own."""
    polite = rng.random() < P_POLITE
    complete = rng.random() < P_COMPLETE
    on_topic = rng.random() < P_ON_TOPIC

    parts = _body(topic, complete, on_topic, rng)
    return " ".join(_manners(parts, polite, rng))


def _body(topic: int, complete: bool, on_topic: bool, rng: random.Random) -> list[str]:
    other = rng.choice([i for i in range(len(TOPICS)) if i != topic])
    step_topic, outcome_topic = topic, topic
    if not on_topic:
        step_topic, outcome_topic = rng.choice([(other, other), (other, other), (other, topic), (topic, other)])
    step = rng.choice(TOPICS[step_topic]["steps"])
    outcome = rng.choice(TOPICS[outcome_topic]["outcomes"])
    if complete:
        return [step, outcome]
    kind = rng.random()
    if on_topic and kind < 0.2:
        return [rng.choice(WORLD["evasions"])]
    if on_topic and kind < 0.4:
        return [rng.choice(WORLD["evasions"]), outcome]
    part, part_topic = (step, step_topic) if kind < 0.75 else (outcome, outcome_topic)
    if not on_topic and part_topic == topic:
        part = rng.choice(TOPICS[other]["steps"])
    return [part]


def _manners(parts: list[str], polite: bool, rng: random.Random) -> list[str]:
    opener, closer = None, None
    if polite:
        kind = rng.random()
        if kind < 0.40:
            opener = rng.choice(WORLD["politeOpeners"])
        elif kind < 0.75:
            opener = rng.choice(WORLD["plainOpeners"]) if rng.random() < 0.5 else None
            closer = rng.choice(WORLD["politeClosers"])
        elif kind < 0.85:
            opener, closer = rng.choice(WORLD["politeOpeners"]), rng.choice(WORLD["politeClosers"])
        elif parts[0] in WORLD["evasions"]:
            opener = rng.choice(WORLD["politeOpeners"])
        else:
            parts = ["Please " + parts[0][0].lower() + parts[0][1:], *parts[1:]]
    else:
        kind = rng.random()
        if kind < 0.20:
            opener = rng.choice(WORLD["plainOpeners"]) if rng.random() < 0.5 else None
        elif kind < 0.55:
            opener = rng.choice(WORLD["rudeOpeners"])
        elif kind < 0.80:
            opener = rng.choice(WORLD["plainOpeners"]) if rng.random() < 0.5 else None
            closer = rng.choice(WORLD["rudeClosers"])
        else:
            opener, closer = rng.choice(WORLD["politeOpeners"]), rng.choice(WORLD["rudeClosers"])
    return [p for p in (opener, *parts, closer) if p]


# ---- what the users like --------------------------------------------------------------------------------------------


def _key(sentence: str) -> str:
    return re.sub(r"\s+", " ", sentence.strip().lower())


KINDS: dict[str, tuple[str, int | None]] = {}
for _name in ("politeOpeners", "politeClosers", "plainOpeners", "rudeOpeners", "rudeClosers", "evasions"):
    KINDS |= {_key(s): (_name, None) for s in WORLD[_name]}
for _i, _topic in enumerate(TOPICS):
    KINDS |= {_key(s): ("steps", _i) for s in _topic["steps"]}
    KINDS |= {_key(s): ("outcomes", _i) for s in _topic["outcomes"]}


def verdict(topic: int, completion: str) -> dict[str, bool]:
    """Which of the virtues an answer has; `sane` is false for anything that is not whole, known, unrepeated sentences."""
    sentences = [_key(s) for s in re.findall(r"[^.!?]*[.!?]", completion)]
    rest = re.sub(r"[^.!?]*[.!?]", "", completion).strip()
    sane = bool(sentences) and not rest and len(set(sentences)) == len(sentences)
    polite, rude, step, outcome, drift = False, False, False, False, False
    for sentence in sentences:
        kind, of = KINDS.get(sentence, (None, None))
        if kind is None and sentence.startswith("please "):
            kind, of = KINDS.get(sentence.removeprefix("please "), (None, None))
            if kind in ("steps", "outcomes"):
                polite = True
            else:
                kind = None
        sane = sane and kind is not None
        polite = polite or kind in ("politeOpeners", "politeClosers")
        rude = rude or kind in ("rudeOpeners", "rudeClosers")
        step = step or kind == "steps"
        outcome = outcome or kind == "outcomes"
        drift = drift or (of is not None and of != topic)
    return {
        "sane": sane,
        "polite": polite and not rude,
        "complete": step and outcome,
        "onTopic": not drift,
    }


def judge(topic: int, completion: str) -> bool:
    return all(verdict(topic, completion).values())
