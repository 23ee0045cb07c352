"""Two answers as OpenInference spans, a vote on each, and one of a judge, through Phoenix's own client and API."""
import sys
import time

from openinference.semconv.resource import ResourceAttributes
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from phoenix.client import Client

url = sys.argv[1]
provider = TracerProvider(resource=Resource({ResourceAttributes.PROJECT_NAME: "chat"}))
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(url + "/v1/traces")))
tracer = provider.get_tracer("chat")


def answered(question, answer):
    with tracer.start_as_current_span("llm") as span:
        span.set_attribute("openinference.span.kind", "LLM")
        span.set_attribute("llm.model_name", "bcod-v00000012")
        for side, role, content in (("input", "user", question), ("output", "assistant", answer)):
            span.set_attribute(f"llm.{side}_messages.0.message.role", role)
            span.set_attribute(f"llm.{side}_messages.0.message.content", content)
    return format(span.get_span_context().span_id, "016x")


spans = [answered("Where is the lift?", "Behind you."), answered("Open today?", "Until six.")]
client = Client(base_url=url)
for attempt in range(60):
    try:
        for span, who, score in zip(spans, ("ann", "bob"), (1, 0)):
            client.spans.add_span_annotation(
                span_id=span, annotation_name="user_feedback", annotator_kind="HUMAN", score=score, identifier=who, sync=True
            )
        break
    except Exception:
        # a span can be annotated once it has been written
        if attempt == 59:
            raise
        time.sleep(1)
client.spans.add_span_annotation(
    span_id=spans[0], annotation_name="judge", annotator_kind="LLM", score=0.4, sync=True
)
