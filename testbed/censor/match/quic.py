"""QUIC datagrams, undecrypted."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final

from testbed.censor.inspect import Content, Kind
from testbed.censor.match.key import ContentKey
from testbed.censor.units import Between

if TYPE_CHECKING:
    from testbed.censor.match import Match


_DRAFTS: Final = 0xFF0000  # the upper bytes of a draft's version (RFC 9000 §15)


@dataclass(frozen=True, slots=True)
class QuicForm:
    """A QUIC datagram by its outside only.

    The rule of March 2022 saw it so, whatever its first byte (NTC1823 #10); a transit operator's of July 2022
    wanted a long header, 1,200 bytes, and took drafts, too (NTC1823 #63-68; which ones is our choice: all).
    """

    version: Annotated[int, Between(0, 0xFFFFFFFF)] = 1
    min_payload: Annotated[int, Between(0, 65527)] = 1001  # UDP payload, bytes; NTC1823 #10-11, H
    long_header: bool = False  # the first bit is set, as RFC 9000 §17.2 has it
    drafts: bool = False  # versions of IETF drafts as well: FF000000 to FF0000FF

    def has(self, version: int) -> bool:
        """Whether the version is one of those looked for."""
        return version == self.version or (self.drafts and version >> 8 == _DRAFTS)


class Quic(ContentKey[QuicForm]):
    """A QUIC datagram by version and size, without decrypting it."""

    name = "quic"
    shape = QuicForm
    written = (
        "`{version: 1, min_payload: 1001}`, or `{}` for these defaults; `long_header: true`, `drafts: true`"
    )
    kinds: ClassVar = frozenset({Kind.QUIC})
    transport = "udp"

    def fits(self, compiled: QuicForm, content: Content) -> bool:
        """Whether the version is the same and the datagram large enough."""
        if content.size < compiled.min_payload or not compiled.has(content.version):
            return False
        return not compiled.long_header or content.payload[0] & 0x80 != 0

    def covers(self, value: QuicForm, match: "Match") -> bool:
        """The same versions or fewer, of the same size or larger only."""
        other = match.get(self.name)
        return (
            isinstance(other, QuicForm)
            and value.has(other.version)
            and (value.drafts or not other.drafts)
            and value.min_payload <= other.min_payload
            and (other.long_header or not value.long_header)
        )


class QuicUnreadable(ContentKey[bool]):
    """A QUIC Initial in which the box reads no server name.

    It has none, does not decrypt, or is laid out in a way that the profile's `quic_layouts` exclude. In May
    2022 such Initials were dropped, among them Firefox's with its padding outside the packet; from June on
    they passed (NTC1823 #32, #38, #42, #69).
    """

    name = "quic.unreadable"
    shape = bool
    written = "`true`"
    kinds: ClassVar = frozenset({Kind.UNREADABLE})
    transport = "udp"

    def given(self, value: bool | None) -> bool:  # noqa: FBT001
        """`quic.unreadable: false` asks for nothing."""
        return bool(value)

    def fits(self, compiled: Any, content: Content) -> bool:
        """Whatever is of the kind."""
        return True
