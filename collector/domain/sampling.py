"""How many spans one sampled span stands for, by its trace state (OpenTelemetry, "TraceState: Probability Sampling").

`ot=th:c` means that three in four were dropped; `ot=p:2`, which came before, the same. Nothing said is nothing known.
"""

import re

MOST_MORE = 1_000_000.0  # beyond it a trace state is a mistake, or a lie
_OURS = re.compile(r"(?:^|,)\s*ot=([^,]*)")
_THRESHOLD = re.compile(r"(?:^|;)th:([0-9a-f]{1,14})(?:;|\s*$)")
_POWER = re.compile(r"(?:^|;)p:([0-9]{1,2})(?:;|\s*$)")
_MOST_CHARACTERS = 1_024
_DIGITS = 14  # of a threshold, 56 bits
_ALL: int = 16**_DIGITS
_NEVER = 63  # the power that stands for "not by probability"


def more(trace_state: str) -> float:
    """How many others a span stands for besides itself, at most MOST_MORE.

    3.0 where one in four was kept; 0.0 where all were, or where nothing is said.
    """
    found = _OURS.search(trace_state[:_MOST_CHARACTERS])
    if found is None:
        return 0.0
    if threshold := _THRESHOLD.search(found[1]):
        dropped: int = int(threshold[1].ljust(_DIGITS, "0"), 16)
        return min(dropped / (_ALL - dropped), MOST_MORE)
    power = _POWER.search(found[1])
    if power is None or int(power[1]) >= _NEVER:
        return 0.0
    return min(float((1 << int(power[1])) - 1), MOST_MORE)
