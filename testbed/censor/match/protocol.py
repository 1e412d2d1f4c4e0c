"""Protocols by their wire form."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Final

from testbed.censor.inspect import Content, Kind
from testbed.censor.match.key import ContentKey, Impossible
from testbed.censor.parsers import PROTOCOLS, Protocol

if TYPE_CHECKING:
    from testbed.censor.match import Match

_LETTERS: Final = {"tls": "t", "dtls": "d", "dtls-groups": "d"}  # quic: not decrypted


class ProtocolForm(ContentKey[tuple[Protocol, ...]]):
    """A protocol by its wire form, on any port."""

    name = "protocol"
    shape = tuple[Protocol, ...]
    written = (
        "`wireguard`, `openvpn`, `ikev2`, `l2tp`, `dtls`, `dtls-groups` (with supported_groups in a hello, "
        "as Snowflake's), "
        "`ssh`, `encrypted` (a random-looking first packet that is none of the others, nor DNS), "
        "`tls`, `quic`, `http`, `socks`, `stun`, `discord` (a voice client's query for its address), "
        "or a list"
    )
    kinds: ClassVar = frozenset({Kind.PROTOCOL})

    def fits(self, compiled: tuple[str, ...], content: Content) -> bool:
        """Whether the protocol is one of those asked for."""
        return content.name in compiled

    def protocols(self, value: tuple[str, ...]) -> tuple[str, ...]:
        """Those asked for."""
        return value

    def hellos(self, value: tuple[str, ...]) -> str:
        """Of the protocols that begin with a readable ClientHello."""
        return "".join(_LETTERS.get(name, "") for name in value)

    def faults(self, value: tuple[str, ...], match: "Match") -> Iterator[Impossible]:
        """A protocol that does not run over the match's transport."""
        transport = match.get("transport")
        if not transport:
            return
        from testbed.censor.parsers.registry import transports  # few rules name a protocol

        for name in PROTOCOLS:
            if name in value and transport not in transports(name):
                message = f"the rule can never match: {name} is not seen over {transport}"
                yield Impossible(
                    ("transport",), message, f"write transport: {transports(name)[0]}, or leave it out"
                )
