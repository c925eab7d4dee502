"""What can stop the stack from starting; the message of each is the sentence a person reads."""


class CannotStart(Exception):
    """The stack cannot start; the message says why and what to do."""


class ArtifactRefused(CannotStart):
    """A fetched or stored file is not the one the lock names, or could not be fetched."""


class FolderRefused(CannotStart):
    """A folder has the wrong owner or mode, or is no folder."""


class PortTaken(CannotStart):
    """Another program listens on a port that is needed."""


class AlreadyRunning(CannotStart):
    """Another supervisor holds the data folder."""


class PartFailed(CannotStart):
    """A part died or did not become ready in time."""


class NotRunning(Exception):
    """No stack runs in this data folder."""
