"""What reaches stderr: no secret, no control character."""

import logging
import sys

from dashboard.logs import Line

FORMATTER = Line(["hunter2hunter2"])


def formatted(message: str, *args: object, exc_info: bool = False) -> str:
    info = sys.exc_info() if exc_info else None
    record = logging.LogRecord("weir", logging.INFO, "f", 1, message, args, info)
    record.created, record.msecs = 1_772_366_400.25, 250.0
    time, text = FORMATTER.format(record).split(" ", 1)
    assert time == "2026-03-01T12:00:00.250Z"
    return text


def test_s53_known_secrets_and_anything_shaped_like_a_token_are_blackened() -> None:
    text = formatted("%s %s", "hunter2hunter2", "weir_api_abcdefghijklmnop_" + "x" * 43)
    assert text == "INFO weir: *** weir_api_***"


def test_s18_the_sign_in_links_secret_is_blackened() -> None:
    assert "secretsecretsecret" not in formatted("GET /sign-in/secretsecretsecretsecret/")


def test_s8_escapes_and_line_breaks_cannot_forge_or_steer() -> None:
    text = formatted("%s", "a\nINFO weir: forged\x1b[2J\u202eb\x85\x00")
    assert text == r"INFO weir: a\nINFO weir: forged\u001b[2J\u202eb\u0085\u0000"


def test_a_traceback_keeps_its_lines_indented_and_without_secrets() -> None:
    try:
        int("hunter2hunter2")
    except ValueError:
        text = formatted("failed", exc_info=True)
    lines = text.splitlines()
    assert lines[0] == "INFO weir: failed"
    assert lines[-1] == "    ValueError: invalid literal for int() with base 10: '***'"
