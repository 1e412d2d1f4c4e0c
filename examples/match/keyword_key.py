"""A match key that the payload decides: a text anywhere in it, such as a path in an HTTP request."""

from collections.abc import Iterator
from typing import ClassVar

from testbed.censor.inspect import Content, Kind
from testbed.censor.match import ContentKey, Impossible, Match


class Keyword(ContentKey[tuple[str, ...]]):
    """A text in a segment or datagram, whatever the protocol."""

    name = "keyword"
    shape = tuple[str, ...]
    kinds: ClassVar = frozenset({Kind.PAYLOAD})

    def compile(self, value: tuple[str, ...]) -> tuple[bytes, ...]:
        """The bytes to search for."""
        return tuple(text.encode() for text in value)

    def fits(self, compiled: tuple[bytes, ...], content: Content) -> bool:
        """Whether one of the texts is in the payload."""
        return any(text in content.payload for text in compiled)

    def faults(self, value: tuple[str, ...], match: Match) -> Iterator[Impossible]:
        """A text without characters is in every payload."""
        for index, text in enumerate(value):
            if not text:
                yield Impossible((self.name, index), "the keyword is empty", "write at least one character")
