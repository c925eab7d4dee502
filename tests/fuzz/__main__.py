"""python -m tests.fuzz TARGET [arguments of libFuzzer]: any bytes, guided by coverage, until one breaks a promise.

Needs atheris (pip install atheris), which is no requirement of Weir's. Begin from the samples with a folder of
`python -m tests.fuzz seeds FOLDER`; docs/operations.md has the whole of it.
"""

import gzip
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

import django

IN_C = {"spans", "taps"}  # by whose coverage alone these are guided, where it was compiled in


def main(arguments: list[str]) -> None:
    """Never returns by itself, save from writing seeds."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")
    if arguments[0] == "seeds":
        django.setup()
        _write_seeds(Path(arguments[1]))
        return
    import atheris

    watched = nullcontext() if arguments[0] in IN_C else atheris.instrument_imports(include=["collector"])
    with watched:
        django.setup()
        from tests.fuzz.targets import TARGETS
    atheris.Setup([sys.argv[0], *arguments[1:]], TARGETS[arguments[0]])
    atheris.Fuzz()


def seeds() -> Mapping[str, Sequence[bytes]]:
    """What to begin from, by target; others begin from nothing."""
    from tests.unit import otlp_samples, test_otlp

    requests = [sample.body for sample in otlp_samples.samples()]
    return {
        "spans": requests,
        "protobuf": requests,
        "json": [test_otlp.json_body(test_otlp.JSON_SPAN)],
        "bodies": [b"\0" + gzip.compress(body[:500]) for body in requests],
    }


def _write_seeds(folder: Path) -> None:
    for name, found in seeds().items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number, seed in enumerate(found):
            (folder / name / str(number)).write_bytes(seed)


if __name__ == "__main__":
    main(sys.argv[1:])
