"""Nothing grows past what one can read in one sitting."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("collector", "dashboard", "stack", "demo", "benchmarks", "native")
MODULE_LINES, FUNCTION_LINES, SCRIPT_LINES, TEMPLATE_LINES = 350, 50, 300, 150


def test_python_modules_and_functions() -> None:
    too_long = []
    for file in (file for room in ROOMS for file in sorted((ROOT / room).rglob("*.py"))):
        text = file.read_text()
        if text.count("\n") > MODULE_LINES:
            too_long.append(f"{file.relative_to(ROOT)}: {text.count(chr(10))} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or 0) - node.lineno + 1
                if length > FUNCTION_LINES:
                    too_long.append(f"{file.relative_to(ROOT)}:{node.name}: {length} lines")
    assert too_long == []


def test_scripts_and_templates() -> None:
    limits = [("static/js", "*.js", SCRIPT_LINES), ("templates", "*.html", TEMPLATE_LINES)]
    lines = {
        str(file.relative_to(ROOT)): (file.read_text().count("\n"), most)
        for folder, pattern, most in limits
        for file in (ROOT / folder).rglob(pattern)
    }
    assert {name: length for name, (length, most) in lines.items() if length > most} == {}


def test_no_stylesheet_but_tokens_names_a_colour() -> None:
    found = [
        f"{file.name}: {match}"
        for file in sorted((ROOT / "static/css").glob("*.css"))
        if file.name != "tokens.css"
        for match in re.findall(r"#[0-9a-fA-F]{3,8}\b|rgba?\(|hsla?\(", file.read_text())
    ]
    assert found == []
