"""Names inside addresses: any characters, also those that would end a segment, or be taken for a step up."""

from urllib.parse import unquote


class Segment:
    """A whole segment, such as a cluster's name, which a span may claim: `/` and `%` are escaped once more."""

    regex = "[^/]+"

    def to_python(self, value: str) -> str:
        """The name in a decoded address."""
        return unquote(value)

    def to_url(self, value: str) -> str:
        """The name as a segment; what `reverse` does to it afterwards comes on top."""
        text = value.replace("%", "%25").replace("/", "%2F")
        return text.replace(".", "%2E") if text in {".", ".."} else text


class Rest(Segment):
    """The end of an address, such as a group's name: slashes and line ends are part of it."""

    regex = r"[\s\S]+"

    def to_url(self, value: str) -> str:
        """The name; slashes stay, but nothing in it is a step up."""
        steps = value.replace("%", "%25").split("/")
        return "/".join(step.replace(".", "%2E") if step in {".", ".."} else step for step in steps)
