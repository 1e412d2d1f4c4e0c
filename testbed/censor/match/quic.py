"""QUIC datagrams, undecrypted."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from testbed.censor.inspect import Content, Kind
from testbed.censor.match.key import ContentKey
from testbed.censor.units import Between

if TYPE_CHECKING:
    from testbed.censor.match import Match


@dataclass(frozen=True, slots=True)
class QuicForm:
    """A QUIC datagram by its outside only, as the 2022 rule saw it (NTC1823 #10)."""

    version: Annotated[int, Between(0, 0xFFFFFFFF)] = 1
    min_payload: Annotated[int, Between(0, 65527)] = 1001  # UDP payload, bytes; NTC1823 #10-11, H


class Quic(ContentKey[QuicForm]):
    """A QUIC datagram by version and size, without decrypting it."""

    name = "quic"
    shape = QuicForm
    written = "`{version: 1, min_payload: 1001}`, or `{}` for these defaults"
    kinds: ClassVar = frozenset({Kind.QUIC})
    transport = "udp"

    def fits(self, compiled: QuicForm, content: Content) -> bool:
        """Whether the version is the same and the datagram large enough."""
        return content.version == compiled.version and content.size >= compiled.min_payload

    def covers(self, value: QuicForm, match: "Match") -> bool:
        """The same version, of the same size or larger only."""
        other = match.get(self.name)
        return (
            isinstance(other, QuicForm)
            and value.version == other.version
            and value.min_payload <= other.min_payload
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
