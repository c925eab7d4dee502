"""S57: small bodies that would become large, in a process of their own whose memory is looked at."""

import json
import subprocess
import sys

import pytest

MOST_GROWN_KB = 60_000  # three times the largest body, which is held twice while it comes in

# What it prints: the status, and by how many kB its memory grew at most.
_SENDS = """
import json, resource, sys, zlib
from collector.otlp.limits import MAX_BODY_BYTES
from tests.unit.receiving import JSON, PROTOBUF, Receiver

def length(size):
    found = bytearray()
    while size >= 0x80:
        found.append(size & 0x7f | 0x80)
        size >>= 7
    return bytes(found) + bytes([size])

def within(tag, body):
    return bytes([tag]) + length(len(body)) + body

def bomb(kind):
    if kind == "resources":
        return b"\\x0a\\x00" * (MAX_BODY_BYTES // 2), PROTOBUF
    if kind == "attributes":
        empty = b"\\x4a\\x00" * (MAX_BODY_BYTES // 2 - 30)
        return within(0x0a, within(0x12, within(0x12, empty))), PROTOBUF
    return b"[" + b"[]," * (MAX_BODY_BYTES // 3 - 1) + b"[]]", JSON

receiver = Receiver()
receiver.post(b"", content_type=PROTOBUF), receiver.post(b"{}", content_type=JSON)
body, kind = bomb(sys.argv[1])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
answer = receiver.post(body, content_type=kind)
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(json.dumps([answer.code, grown, len(receiver.records)]))
"""


@pytest.mark.parametrize("kind", ["resources", "attributes", "lists"])
def test_s57_twenty_megabytes_of_nothing_are_refused_and_make_no_objects(kind: str) -> None:
    command = (sys.executable, "-c", _SENDS, kind)
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    code, grown_kb, n_records = json.loads(done.stdout)
    assert (code, n_records) == (400, 0)
    assert grown_kb < MOST_GROWN_KB
