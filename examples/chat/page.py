"""A chat page with thumbs behind bcod's gateway: streamlit run examples/chat/page.py"""

import uuid

import streamlit as st
from openai import OpenAI

gateway = OpenAI(base_url="http://localhost:8080/v1", api_key="not used")
memory = st.session_state
memory.setdefault("user", str(uuid.uuid4()))
memory.setdefault("answers", [])


def ask(question):
    """The answer, with what a vote on it needs: its id and the vote token."""
    reply = gateway.chat.completions.with_raw_response.create(
        model="demo",
        messages=[{"role": "user", "content": question}],
        user=memory.user,
        max_tokens=48,
        temperature=0,
    )
    completion = reply.parse()
    return {
        "question": question,
        "text": completion.choices[0].message.content,
        "completion": completion.id,
        "token": reply.headers.get("X-Bcod-Vote"),
        "version": reply.headers.get("X-Bcod-Adapter"),
    }


def vote(answer):
    """Sends the thumb: 1 is up, 0 is down, None takes the vote back."""
    thumb = memory[answer["completion"]]
    label = None if thumb is None else thumb == 1
    body = {"completion": answer["completion"], "label": label, "token": answer["token"]}
    gateway.post("/feedback", body=body, cast_to=object)


st.title("Web shop")
if question := st.chat_input("Ask the shop"):
    memory.answers.append(ask(question))
for answer in memory.answers:
    st.chat_message("user").write(answer["question"])
    with st.chat_message("assistant"):
        st.write(answer["text"])
        st.caption(f"answered by {answer['version']}")
        if answer["token"]:
            st.feedback("thumbs", key=answer["completion"], on_change=vote, args=(answer,))
