"""An application with OpenAI's client for Python: a JSON request a line on stdin, its answer a line on stdout.

OPENAI_BASE_URL and OPENAI_API_KEY are all that it is told of where it is.
"""

import json
import sys

import openai

client = openai.OpenAI(max_retries=0)


def ask(stream, **request):
    raw = client.chat.completions.with_raw_response.create(stream=stream, **request)
    answer = {"adapter": raw.headers.get("x-bcod-adapter"), "token": raw.headers.get("x-bcod-vote")}
    text, call = "", ""
    if stream:
        for chunk in raw.parse():
            answer |= {"id": chunk.id, "model": chunk.model}
            for choice in chunk.choices:
                text += choice.delta.content or ""
                for part in choice.delta.tool_calls or []:
                    call += part.function.arguments or ""
    else:
        whole = raw.parse()
        message = whole.choices[0].message
        answer |= {"id": whole.id, "model": whole.model}
        text = message.content or ""
        call = "".join(part.function.arguments for part in message.tool_calls or [])
    return answer | {"text": text, "call": call}


def vote(**body):
    return client.post("/feedback", cast_to=object, body=body)


for line in sys.stdin:
    verb, arguments = json.loads(line)
    try:
        said = {"ask": ask, "vote": vote}[verb](**arguments)
    except openai.APIStatusError as error:
        said = {"error": type(error).__name__, "status": error.status_code}
    print(json.dumps(said), flush=True)
