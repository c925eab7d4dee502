"""Ports that are free, and stay so until they are used."""

import subprocess
import sys

import pytest

from stack.ports import free_port, is_taken


def test_a_free_port_is_given_once() -> None:
    given = [free_port() for _ in range(50)]
    assert len(set(given)) == 50
    assert not any(map(is_taken, given))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has names that end with their process")
def test_no_other_process_is_given_it_while_this_one_lives() -> None:
    port = free_port()
    asks = f"import stack.ports as p; p._QUIET_RANGE = [{port}] * 200; print(p.free_port())"
    told = subprocess.run([sys.executable, "-c", asks], capture_output=True, text=True, check=False)
    assert "PortTaken: No free port" in told.stderr
