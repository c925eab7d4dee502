"""Why a retry is not taken on. Each sentence is for people, and says the next move."""


class Refusal(Exception):
    """Base of all: nothing was frozen, nothing will be sent."""


class NothingToSend(Refusal):
    """None of the letters can be sent; `reasons` says why for each (letter id -> sentence)."""

    def __init__(self, reasons: dict[int, str]) -> None:
        self.reasons = reasons
        said = sorted(set(reasons.values()))
        super().__init__(" ".join(said) if said else "Choose at least one dead letter.")


class NotAllowed(Refusal):
    """The target may not be sent to."""


class TooMany(Refusal):
    """More letters than one operation takes."""


class Changed(Refusal):
    """The number of letters that can be sent is not the one that was expected: look again, then confirm."""


class TokenReused(Refusal):
    """This token was used for another request of the same person."""
