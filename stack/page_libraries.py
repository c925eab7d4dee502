"""What a browser gets out of a WebJar: fixed members only, nothing is unpacked by its own name."""

import os
import zipfile
from pathlib import Path

from stack.places import made_private
from stack.problems import ArtifactRefused

LARGEST_BYTES = 2_000_000
_UPLOT = "META-INF/resources/webjars/uplot/1.6.30/dist"
MEMBERS = {  # member of the jar: where it goes
    f"{_UPLOT}/uPlot.esm.js": "uplot/uPlot.esm.js",
    f"{_UPLOT}/uPlot.min.css": "uplot/uPlot.min.css",
}


def extracted(jar: Path) -> dict[str, bytes]:
    """{place: bytes} of the fixed members; ArtifactRefused when one is missing or absurdly large."""
    found = {}
    with zipfile.ZipFile(jar) as archive:
        for member, place_name in MEMBERS.items():
            try:
                info = archive.getinfo(member)
            except KeyError:
                raise ArtifactRefused(f"{jar.name} has no {member}") from None
            if info.file_size > LARGEST_BYTES:
                raise ArtifactRefused(f"{member} of {jar.name} is too large: {info.file_size} bytes")
            found[place_name] = archive.read(info)
    return found


def place(jar: Path, folder: Path) -> None:
    """Write the members below `folder` where they differ from what lies there."""
    for name, content in extracted(jar).items():
        target = folder / name
        made_private(target.parent)
        if target.is_symlink() or not target.exists() or target.read_bytes() != content:
            draft = target.with_name(f".{target.name}.new")
            draft.unlink(missing_ok=True)
            draft.write_bytes(content)
            os.replace(draft, target)
