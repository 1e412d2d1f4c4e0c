"""Plain HTTP requests: the page that is asked for, a word anywhere in the request."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from testbed.censor.inspect import Content, Kind
from testbed.censor.match.key import SHORT, ContentKey, plain_list
from testbed.censor.units import Form
from testbed.censor.urls import UrlList, UrlMatcher

if TYPE_CHECKING:
    from testbed.censor.match import Match


class HttpUrl(ContentKey[UrlList]):
    """The page that a plain HTTP request asks for, by Host and path."""

    name = "http.url"
    shape = UrlList
    written = (
        "`http://example.com/page`, `http://example.com/dir/*`, `*/page`, `*word*`, a list, "
        "or `{file: urls.txt}`"
    )
    kinds: ClassVar = frozenset({Kind.HTTP})
    exclusive = True
    transport = "tcp"

    def compile(self, value: UrlList) -> UrlMatcher:
        """The patterns, ready for a URL."""
        return UrlMatcher(value.patterns)

    def fits(self, compiled: UrlMatcher, content: Content) -> bool:
        """Whether the request's URL is listed."""
        return content.url in compiled

    def keywords(self, compiled: UrlMatcher, payload: bytes) -> Iterable[str]:
        """The listed URLs in the payload."""
        return compiled.found_in(payload)

    def covers(self, value: UrlList, match: "Match") -> bool:
        """Whether the other list has no pattern but these."""
        other = match.get(self.name)
        return isinstance(other, UrlList) and set(other.patterns) <= set(value.patterns)

    def to_json(self, value: UrlList) -> Any:
        """The patterns; a long list from a file by count and source."""
        if value.source and len(value.patterns) > SHORT:
            return {"count": len(value.patterns), "source": value.source}
        return plain_list(
            [pattern if pattern[0] == "*" else f"http://{pattern}" for pattern in value.patterns]
        )


_Word = Annotated[str, Form(r"\S(?:.*\S)?", "a word", "forbidden")]


class HttpKeyword(ContentKey[tuple[str, ...]]):
    """A word in a plain HTTP request, in any case: in its first line or its headers."""

    name = "http.keyword"
    shape = tuple[_Word, ...]
    written = "`casino`, or a list; compared as UTF-8 and, outside ASCII, as it is written in URLs (`%D0…`)"
    kinds: ClassVar = frozenset({Kind.HTTP})
    exclusive = True
    transport = "tcp"

    def compile(self, value: tuple[str, ...]) -> tuple[tuple[bytes, ...], ...]:
        """Each word's forms, in lower case."""
        return tuple(_forms(word) for word in value)

    def fits(self, compiled: tuple[tuple[bytes, ...], ...], content: Content) -> bool:
        """Whether the request's head has one of the words."""
        head = content.payload.partition(b"\r\n\r\n")[0].lower()
        return any(form in head for forms in compiled for form in forms)

    def keywords(self, compiled: tuple[tuple[bytes, ...], ...], payload: bytes) -> Iterable[str]:
        """The words in the payload."""
        lower = payload.lower()
        return (forms[0].decode() for forms in compiled if any(form in lower for form in forms))


def _forms(word: str) -> tuple[bytes, ...]:
    """A word as it is found on the wire; bytes compare without regard to ASCII case."""
    texts = dict.fromkeys((word.lower(), word, word.capitalize(), word.upper()))
    plain = [text.encode().lower() for text in texts]
    coded = ["".join(f"%{byte:02x}" if byte > 127 else chr(byte) for byte in each).encode() for each in plain]
    return tuple(dict.fromkeys((*plain, *coded)))
