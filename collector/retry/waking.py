"""Wake a worker to send, or to ask what may be sent: a hint, for the sweep finds the operation too."""

import logging
from collections.abc import Sequence

from collector.waking import woken

log = logging.getLogger(__name__)

TASK = "collector.send_retries"
CHECK_TASK = "collector.check_targets"


def wake(operation_id: int) -> None:
    """Tell a worker that this operation waits."""
    if problem := woken(TASK, [operation_id]):
        log.warning("Nobody could be woken for retry %d (%s); the sweep will find it.", operation_id, problem)


def wake_to_check(topics: Sequence[int]) -> None:
    """Ask a worker whether these topics may be written to. The page asks again where no answer comes."""
    if problem := woken(CHECK_TASK, [list(topics)]):
        log.warning("Nobody could be asked about the targets of a plan (%s).", problem)
