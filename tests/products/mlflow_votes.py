"""Two traces with votes of people, one of a judge, and a vote that was changed, through MLflow's own client."""
import sys

import mlflow
from mlflow.entities import AssessmentSource

mlflow.set_tracking_uri(sys.argv[1])
mlflow.set_experiment("chat")


def answered(question, answer):
    with mlflow.start_span(name="chat", span_type="CHAT_MODEL") as span:
        span.set_inputs({"model": "bcod-v00000012", "messages": [{"role": "user", "content": question}]})
        message = {"role": "assistant", "content": answer}
        span.set_outputs({"choices": [{"index": 0, "finish_reason": "stop", "message": message}]})
    mlflow.flush_trace_async_logging()
    return span.trace_id


def vote(trace, name, value, kind, who):
    source = AssessmentSource(source_type=kind, source_id=who)
    return mlflow.log_feedback(trace_id=trace, name=name, value=value, source=source)


lift, hours = answered("Where is the lift?", "Behind you."), answered("Open today?", "Until six.")
vote(lift, "thumb", True, "HUMAN", "ann")
vote(lift, "judge", 0.5, "LLM_JUDGE", "gpt")
first = vote(hours, "thumb", True, "HUMAN", "bob")
changed = AssessmentSource(source_type="HUMAN", source_id="bob")
mlflow.override_feedback(trace_id=hours, assessment_id=first.assessment_id, value=False, source=changed)
with open(sys.argv[2], "w") as file:
    for trace in mlflow.search_traces(return_type="list"):
        file.write(trace.to_json() + "\n")
