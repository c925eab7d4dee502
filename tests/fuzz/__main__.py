"""python -m tests.fuzz TARGET [arguments of libFuzzer]: any bytes, guided by coverage, until one breaks a promise.

Needs atheris (pip install atheris), which is no requirement of Weir's. Begin from the samples with a folder of
`python -m tests.fuzz seeds FOLDER`; docs/operations.md has the whole of it.
"""

import gzip
import os
import sys
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


def _write_seeds(folder: Path) -> None:
    """One folder for each target that has samples."""
    from tests.unit import otlp_samples, test_otlp

    for number, sample in enumerate(otlp_samples.samples()):
        _write(folder / "spans", number, sample.body)
        _write(folder / "protobuf", number, sample.body)
        _write(folder / "bodies", number, b"\0" + gzip.compress(sample.body[:500]))
    _write(folder / "json", 0, test_otlp.json_body(test_otlp.JSON_SPAN))


def _write(folder: Path, number: int, data: bytes) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / str(number)).write_bytes(data)


if __name__ == "__main__":
    main(sys.argv[1:])
