"""What a parser recognised, in the few words that rules about protocols need."""

from dataclasses import dataclass
from typing import Literal

from testbed.censor.parsers.tls import ClientHello

MessageKind = Literal["initiation", "response", "control", "data"]
"""A side's first message; the answer to it; the rest of a handshake and upkeep; what the users send."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message of a protocol, by its wire form."""

    kind: MessageKind
    hello: ClientHello | None = None  # DTLS, TLS: the ClientHello, if it is whole
    cookie: bool = False  # DTLS: the ClientHello answers a HelloVerifyRequest
    groups: bool = False  # DTLS: the ClientHello or ServerHello carries supported_groups
    weak: bool = False  # so few bits identify it that it counts only in a flow that began with another
