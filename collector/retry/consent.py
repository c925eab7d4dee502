"""Whether a second person must agree before something is sent: off unless the settings file says so."""

from collector.config import declared


def needed(n_letters: int, *, edited: bool) -> bool:
    """For so many letters, or for an edited copy. One statement."""
    permissions = declared.document().permissions
    too_many = permissions.approve_above is not None and n_letters > permissions.approve_above
    return too_many or (edited and permissions.approve_edits)
