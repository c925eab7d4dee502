"""python -m native: compile scanner.c into this environment. Without a compiler it says so, which is no error."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from native import SOURCE, digest

NAME = "weir_scanner"
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
        _say(f"No {missing} here: Weir reads spans in Python, at half the speed.")
        return 0
    target = Path(sysconfig.get_path("platlib")) / f"{NAME}{sysconfig.get_config_var('EXT_SUFFIX')}"
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        made = Path(folder) / target.name
        words = [compiler, *FLAGS, f'-DWEIR_SOURCE="{digest()}"', f"-I{headers}", str(SOURCE), "-o", str(made)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False)
        if done.returncode:
            _say(f"The C compiler refused {SOURCE.name}: Weir reads spans in Python, at half the speed.\n{done.stderr}")
            target.unlink(missing_ok=True)
            return 0
        if done.stderr:
            _say(done.stderr)
        os.replace(made, target)
    return 0


def _compiler() -> str | None:
    return shutil.which(os.environ.get("CC", "cc")) or shutil.which("gcc") or shutil.which("clang")


def _say(sentence: str) -> None:
    sys.stderr.write(sentence + "\n")


if __name__ == "__main__":
    sys.exit(main())
