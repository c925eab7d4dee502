"""What is not taken, in the terms of HTTP and of gRPC. Without protobuf: it takes 2 MB, and others refuse, too."""


class Refused(Exception):
    """A request that is not taken. `code` is google.rpc.Code; `retry_seconds` where trying again may help."""

    def __init__(self, http_status: int, code: int, message: str, retry_seconds: int | None = None) -> None:
        super().__init__(message)
        self.http_status = http_status
        self.code = code
        self.message = message
        self.retry_seconds = retry_seconds


INVALID_ARGUMENT, PERMISSION_DENIED, RESOURCE_EXHAUSTED = 3, 7, 8
UNIMPLEMENTED, UNAVAILABLE, UNAUTHENTICATED = 12, 14, 16
