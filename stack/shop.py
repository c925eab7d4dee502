"""The demo shop as parts: topics first, then each service as a process of its own."""

from collections.abc import Mapping
from pathlib import Path

from demo.parts import PARTS
from stack.part import Part
from stack.weir_parts import PYTHON, ROOT, announced, forgets, ready_file_of

NOT_EVERY_ORDER = r"^(?!INFO )"
PASSED_ON = ("RATE", "SEED", "DEMO_TRUTH_MB")


def parts(
    *, data: Path, bootstrap: str, otlp_http: str, environ: Mapping[str, str], common: Mapping[str, str]
) -> tuple[Part, ...]:
    """`demo-setup` and one part per service. `common` is what any child may see; the shop gets no secret."""
    env = {
        **common,
        **{name: environ[name] for name in PASSED_ON if environ.get(name)},
        "DEMO_KAFKA_BOOTSTRAP": bootstrap,
        "DEMO_STATE_DIR": str(data / "demo"),
        "OTEL_EXPORTER_OTLP_ENDPOINT": otlp_http,
        "OTEL_BSP_SCHEDULE_DELAY": "200",  # milliseconds: the page shows an event within two seconds
    }
    setup = Part(name="demo-setup", argv=(*PYTHON, "-m", "demo.setup"), env=env, cwd=ROOT, after=("kafka",), once=True)
    return (setup, *(_service(name, env, data=data) for name in PARTS))


def _service(name: str, env: Mapping[str, str], *, data: Path) -> Part:
    ready_file = ready_file_of(name, data=data)
    return Part(
        name=name,
        argv=(*PYTHON, "-m", "demo.run", name),
        env={**env, "WEIR_READY_FILE": str(ready_file)},
        cwd=ROOT,
        after=("demo-setup", "receive", "collect"),
        stop_seconds=2.5,
        notable=NOT_EVERY_ORDER,
        prepare=forgets(ready_file),
        ready=announced(ready_file),
    )
