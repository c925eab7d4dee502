"""How long from produce() in a service to the changed number in the browser. Needs a running `make demo`.

The ceiling beside it is what nobody can beat with these settings: the exporter's own delay and the folder's pause, each
waited for half on average and whole at worst.

    python -m benchmarks.freshness [N]      (500 events by default)
"""

import json
import os
import random
import secrets
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OTEL_BSP_SCHEDULE_DELAY", "200")
EXPORT_MS, FOLD_MS = 200, 500
TOPIC, SERVICE = "bench.freshness", "freshness-probe"
QUIET = {"log_level": 2}  # the clients outlive the broker at the end
ROOT = Path(__file__).resolve().parent.parent
OBSERVE = """edge => {
  const selector = `tr[data-edge="${CSS.escape(edge)}"] [data-field=messages]`;
  const look = () => {
    const text = document.querySelector(selector)?.textContent;
    if (text && text !== window.seen.at(-1)?.[1]) window.seen.push([Date.now(), text]);
  };
  window.seen = [];
  look();
  new MutationObserver(look).observe(document.body, { childList: true, characterData: true, subtree: true });
}"""


def main(words: list[str]) -> int:
    """Print one table."""
    n_events = int(words[0]) if words else 500
    stack = running_stack()
    produce, flush = probe(stack)
    produce()
    edge = f"service:{SERVICE}>topic:{stack['cluster']}/{TOPIC}"
    delays = measured(stack, edge, produce, n_events)
    flush(10)
    ranked = sorted(delays)
    print(f"produce() to the changed number in the browser, {len(ranked)} of {n_events} events, ms")
    print(f"{'':12}{'p50':>8}{'p99':>8}{'max':>8}")
    print(f"{'measured':12}{at(ranked, 0.5):8.0f}{at(ranked, 0.99):8.0f}{ranked[-1]:8.0f}")
    worst = EXPORT_MS + FOLD_MS
    print(f"{'ceiling':12}{worst / 2:8.0f}{worst:8.0f}{worst:8.0f}   pauses of exporter and folder alone")
    print(f"mean {statistics.fmean(ranked):.0f} ms; events missing on the screen: {n_events - len(ranked)}")
    return 0 if len(ranked) == n_events else 1


def running_stack() -> dict[str, Any]:
    """stack.json of the running demo."""
    folder = subprocess.run(
        [sys.executable, "-m", "stack", "folder"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()
    return dict(json.loads((Path(folder) / "stack.json").read_text()))


def probe(stack: dict[str, Any]) -> tuple[Any, Any]:
    """A traced producer of its own: one function sends an event and says when, the other waits until all are sent."""
    from confluent_kafka import KafkaException, Producer
    from confluent_kafka.admin import AdminClient
    from confluent_kafka.cimpl import NewTopic
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.confluent_kafka import ConfluentKafkaInstrumentor
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    client = {"bootstrap.servers": stack["kafka_bootstrap"], **stack["kafka_client"]}
    try:
        admin = AdminClient(client)  # the answer comes only while it lives
        admin.create_topics([NewTopic(TOPIC, 1, 1)])[TOPIC].result(10)
    except KafkaException as error:
        if "EXISTS" not in str(error):
            raise
    provider = TracerProvider(resource=Resource({"service.name": SERVICE}))
    exporter = OTLPSpanExporter(endpoint=f"{stack['otlp_http']}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    producer = ConfluentKafkaInstrumentor.instrument_producer(
        Producer({**client, **QUIET, "linger.ms": 5}), tracer_provider=provider
    )

    def send() -> float:
        at = time.time() * 1000
        producer.produce(TOPIC, value=b"{}", key=b"probe")
        producer.poll(0)
        return at

    return send, producer.flush


def measured(stack: dict[str, Any], edge: str, produce: Any, n_events: int) -> list[float]:  # noqa: ANN401
    """Delays in ms, one for each event whose count was shown."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        sign_in(page, stack)
        page.goto(f"{stack['url'].rstrip('/')}/?view=table")
        row = page.locator(f'tr[data-edge="{edge}"]')
        for _ in range(30):
            if row.count():
                break
            page.wait_for_timeout(1000)
            page.reload()
        page.wait_for_timeout(3000)
        page.evaluate(OBSERVE, edge)
        base = number(page.evaluate("window.seen[0][1]"))
        sent = []
        for _ in range(n_events):
            sent.append(produce())
            page.wait_for_timeout(random.randint(30, 370))
        page.wait_for_timeout(8000)
        seen = [(at_ms, number(text) - base) for at_ms, text in page.evaluate("window.seen")]
        browser.close()
    delays = []
    for index, at_ms in enumerate(sent, start=1):
        shown = next((when for when, count in seen if count >= index), None)
        if shown is not None:
            delays.append(shown - at_ms)
    return delays


def sign_in(page: Any, stack: dict[str, Any]) -> None:  # noqa: ANN401
    """As a viewer made for this run."""
    name, password = f"bench-{secrets.token_hex(4)}", secrets.token_urlsafe(18)
    subprocess.run(
        [sys.executable, "manage.py", "create_person", name, "--role", "viewer", "--password-stdin"],
        cwd=ROOT,
        check=True,
        input=password,
        text=True,
        capture_output=True,
        env={**os.environ, "DATABASE_URL": stack["database_url"], "SECRET_KEY": secrets.token_urlsafe(48)},
    )
    page.goto(f"{stack['url'].rstrip('/')}/login/")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{stack['url'].rstrip('/')}/")


def number(text: str) -> int:
    """The count in a cell."""
    return int(text.replace(",", ""))


def chromium() -> str | None:
    """The browser named by WEIR_CHROMIUM, or Debian's; None for the one that came with Playwright."""
    named = os.environ.get("WEIR_CHROMIUM", "/usr/bin/chromium")
    return named if Path(named).exists() else None


def at(ranked: list[float], share: float) -> float:
    """The value that `share` of all do not exceed."""
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
