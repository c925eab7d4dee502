"""python -m native: compile the modules into this environment. Without a compiler it says so, which is no error."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from native import FOLDER, SOURCES, digest

FLAGS = (
    "-std=gnu11",
    "-O2",
    "-shared",
    "-fPIC",
    "-fvisibility=hidden",
    "-Wall",
    "-Wextra",
    "-Wno-missing-field-initializers",
)
LONGEST_SECONDS = 120


def main() -> int:
    """0 also where Weir has to do without."""
    compiler, headers = _compiler(), Path(sysconfig.get_path("include"))
    if compiler is None or not (headers / "Python.h").exists():
        missing = "C compiler" if compiler is None else "Python.h (Debian and Ubuntu: apt-get install python3-dev)"
        _say(f"No {missing} here: Weir reads spans and records in Python, at half the speed.")
        return 0
    for name in SOURCES:
        _build(name, compiler, headers)
    return 0


def _build(name: str, compiler: str, headers: Path) -> None:
    source = FOLDER / SOURCES[name][0]
    target = Path(sysconfig.get_path("platlib")) / f"{name}{sysconfig.get_config_var('EXT_SUFFIX')}"
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        made = Path(folder) / target.name
        words = [compiler, *FLAGS, f'-DWEIR_SOURCE="{digest(name)}"', f"-I{headers}", str(source), "-o", str(made)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False)
        if done.returncode:
            _say(f"The C compiler refused {source.name}: Weir does that in Python, at half the speed.\n{done.stderr}")
            target.unlink(missing_ok=True)
            return
        if done.stderr:
            _say(done.stderr)
        os.replace(made, target)


def _compiler() -> str | None:
    return shutil.which(os.environ.get("CC", "cc")) or shutil.which("gcc") or shutil.which("clang")


def _say(sentence: str) -> None:
    sys.stderr.write(sentence + "\n")


if __name__ == "__main__":
    sys.exit(main())
