"""The states of dead letters, sends and operations, in the fixed words of the screen, each with its sign."""

LETTER = {
    "open": ("failing", "Open"),
    "retry_requested": ("waiting", "Retry requested"),
    "sent": ("waiting", "Sent, no outcome yet"),
    "no_answer": ("unknown", "No answer"),
    "processed": ("ok", "Processed"),
    "passed": ("passed", "Passed"),
    "unknown": ("unknown", "Unknown: may have been sent"),
    "archived": ("idle", "Archived"),
}
ITEM = {
    "requested": ("waiting", "Retry requested"),
    "claimed": ("waiting", "Sending"),
    "sent": ("waiting", "Sent, no outcome yet"),
    "unknown": ("unknown", "Unknown: may have been sent"),
    "processed": ("ok", "Processed"),
    "passed": ("passed", "Passed"),
    "in_retry": ("waiting", "In retry"),
    "no_answer": ("unknown", "No answer"),
    "failed_again": ("failing", "Failed again"),
    "not_sent": ("degraded", "Not sent"),
    "cancelled": ("idle", "Cancelled"),
}
OPERATION = {
    "requested": ("waiting", "Accepted"),
    "running": ("live", "Running"),
    "done": ("ok", "Done"),
    "stopped": ("failing", "Stopped"),
    "cancelled": ("idle", "Cancelled"),
    "paused": ("paused", "Paused"),
    "asked": ("waiting", "Waits for approval"),
}
