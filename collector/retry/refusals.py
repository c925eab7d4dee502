"""Why a retry is not taken on. Each sentence is for people, and says the next move."""

from collections.abc import Mapping


class Refusal(Exception):
    """Base of all: nothing was frozen, nothing will be sent."""


class NothingToSend(Refusal):
    """None of the letters can be sent; `reasons`: sentence -> how many letters."""

    def __init__(self, reasons: Mapping[str, int]) -> None:
        self.reasons = reasons
        said = sorted(reasons)
        super().__init__(" ".join(said) if said else "Choose at least one dead letter.")


class NotAllowed(Refusal):
    """The target may not be sent to."""


class NeedsApproval(Refusal):
    """A second person must approve this: select the letters in the list, choose Retry, and ask in step 4."""


class TooMany(Refusal):
    """More letters than one operation takes."""


class Changed(Refusal):
    """The number of letters that can be sent is not the one that was expected: look again, then confirm."""


class TokenReused(Refusal):
    """This token was used for another request of the same person."""


class NoSuchPlan(Refusal):
    """There is no such plan of yours: it was discarded, or expired after 24 h. Freeze again."""


class Expired(NoSuchPlan):
    """The plan is yours, and a day old: what it froze has changed since. Freeze again."""


class AlreadySent(Refusal):
    """The plan was confirmed before; `operation` is what came of it."""

    def __init__(self, operation: int) -> None:
        self.operation = operation
        super().__init__(f"Already sent as operation #{operation}.")


class NotNow(Refusal):
    """The operation or the letter does not stand where this could be done."""
