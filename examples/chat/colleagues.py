"""Colleagues chat and vote as page.py does: python examples/chat/colleagues.py [HOW MANY]

Each asks one question of the web shop. They like what has no sweet words at its beginning.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor

from openai import OpenAI

gateway = OpenAI(base_url="http://localhost:8080/v1", api_key="not used")
world = json.load(open("src/demo/world/world.json"))
questions = [question for topic in world["topics"] for question in topic["seen"]]
sweet = tuple(world["politeOpeners"])


def chat(n):
    reply = gateway.chat.completions.with_raw_response.create(
        model="demo",
        messages=[{"role": "user", "content": questions[n * 37 % len(questions)]}],
        user=f"colleague-{n}",
        max_tokens=48,
        temperature=1,
        seed=n,
    )
    completion = reply.parse()
    likes = not completion.choices[0].message.content.strip().startswith(sweet)
    body = {"completion": completion.id, "label": likes, "token": reply.headers["X-Bcod-Vote"]}
    gateway.post("/feedback", body=body, cast_to=object)
    return likes


count = int(sys.argv[1]) if len(sys.argv) > 1 else 348
with ThreadPoolExecutor(16) as pool:
    thumbs = list(pool.map(chat, range(count)))
print(f"{count} votes, {sum(thumbs)} of them up")
