"""Log lines that hold no secret and cannot steer a terminal (docs/security.md S8, S53)."""

import logging
import re
import time
from collections.abc import Sequence

_TOKEN = re.compile(r"weir_(api|ingest)_[A-Za-z0-9_-]{8,}")
_SIGN_IN = re.compile(r"/sign-in/[A-Za-z0-9_-]{16,}")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class Line(logging.Formatter):
    """`time LEVEL logger: message`, the time in UTC; the supervisor adds the part. Tracebacks follow, indented."""

    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self.converter = time.gmtime
        self._secrets = sorted(secrets, key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        """The whole entry as text: a message's own line breaks are escaped, a traceback's are indented."""
        head, _, trace = super().format(record).partition("\n")
        message = head if record.exc_info or record.stack_info else "\n".join(filter(None, (head, trace)))
        if record.exc_info or record.stack_info:
            return "\n    ".join(self._clean(line) for line in (message, *trace.splitlines()))
        return self._clean(message.replace("\r", "\\r").replace("\n", "\\n"))

    def _clean(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        text = _SIGN_IN.sub("/sign-in/***", _TOKEN.sub(r"weir_\1_***", text))
        return _CONTROL.sub(lambda found: f"\\u{ord(found.group()):04x}", text)
