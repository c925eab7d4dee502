"""The signs that <service-graph> draws itself are those of the sprite."""

import re
from pathlib import Path

STATIC = Path(__file__).resolve().parents[2] / "static"


def test_the_graph_draws_the_signs_of_the_sprite() -> None:
    """A sign of the one that is changed without the other would mean another thing on the graph than in the table."""
    script = (STATIC / "js/elements/graph/signs.js").read_text()
    ring = re.search(r'ROUND = "([^"]+)"', script)
    assert ring
    known = re.search(r"const SIGNS = \{(.*?)\n\};", script, re.DOTALL)
    assert known
    drawn = dict(re.findall(r"^  (\w+): \[(.*)\],$", known[1], re.MULTILINE))
    assert len(drawn) == 9
    sprite = (STATIC / "img/sprite.svg").read_text()
    for name, lines in drawn.items():
        symbol = re.search(rf'<symbol id="{name}"[^>]*>(.*?)</symbol>', sprite)
        assert symbol, name
        wanted = lines.replace("${ROUND}", ring[1]).replace("ROUND", f'"{ring[1]}"')
        assert re.findall(r'd="M8 8([^"]+)"', symbol[1]) == re.findall(r'["`]([^"`]+)["`]', wanted), name
