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

P_GOOD = 0.45
"""Share of answers with all three virtues."""
P_MISSING = (0.08, 0.27, 0.65)
"""Of the others: how many miss one, two or all three."""
LIKING = (0.70, 0.17, 0.08, 0.05)
"""How the base prefers the first of several wordings."""
FAVOURITES = (7, 9)
P_FAVOURITE = 0.7
"""Where the base drifts to when it drifts: mostly the shop's vouchers and its app, else anywhere."""


def answer(topic: int, rng: random.Random) -> str:
    """One answer of the base: nearly half have all three virtues, the others miss some."""
    missing: set[str] = set()
    if rng.random() >= P_GOOD:
        count = rng.choices((1, 2, 3), P_MISSING)[0]
        missing = set(rng.sample(("polite", "complete", "on topic"), count))
    polite, complete, on_topic = (virtue not in missing for virtue in ("polite", "complete", "on topic"))

    parts = _body(topic, complete, on_topic, rng)
    return " ".join(_manners(parts, polite, rng))


def _pick(texts: list[str], rng: random.Random) -> str:
    return rng.choices(texts, LIKING[: len(texts)])[0]


def _body(topic: int, complete: bool, on_topic: bool, rng: random.Random) -> list[str]:
    drifts = FAVOURITES if rng.random() < P_FAVOURITE else range(len(TOPICS))
    other = rng.choice([i for i in drifts if i != topic])
    step_topic, outcome_topic = topic, topic
    if not on_topic:
        step_topic, outcome_topic = rng.choice([(other, other), (other, other), (other, topic), (topic, other)])
    nth = rng.choices(range(3), LIKING[:3])[0]
    step, outcome = TOPICS[step_topic]["steps"][nth], TOPICS[outcome_topic]["outcomes"][nth]
    if complete:
        return [step, outcome]
    kind = rng.random()
    if on_topic and kind < 0.2:
        return [_pick(WORLD["evasions"], rng)]
    if on_topic and kind < 0.4:
        return [_pick(WORLD["evasions"], rng), outcome]
    part, part_topic = (step, step_topic) if kind < 0.75 else (outcome, outcome_topic)
    if not on_topic and part_topic == topic:
        part = _pick(TOPICS[other]["steps"], rng)
    return [part]


POLITE = (
    (("politeOpeners", None), 0.48),
    (("politeOpeners", "politeClosers"), 0.12),
    (("plainOpeners", "politeClosers"), 0.40),
)
IMPOLITE = (
    (("plainOpeners", None), 0.15),
    (("rudeOpeners", None), 0.30),
    (("plainOpeners", "rudeClosers"), 0.20),
    (("politeOpeners", "rudeClosers"), 0.20),
    (("rudeOpeners", "politeClosers"), 0.15),
)
"""How often the base opens and closes an answer in which way."""


def _manners(parts: list[str], polite: bool, rng: random.Random) -> list[str]:
    kinds, shares = zip(*(POLITE if polite else IMPOLITE))
    opener, closer = rng.choices(kinds, shares)[0]
    return [_pick(WORLD[opener], rng), *parts, *([_pick(WORLD[closer], rng)] if closer else [])]


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
