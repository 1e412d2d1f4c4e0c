"""SSH by its identification string (RFC 4253 §4.2), which both sides send first."""

from typing import Final

from testbed.censor.parsers import MORE, NOT, Unread
from testbed.censor.parsers.message import Message

_BANNERS: Final = (b"SSH-2.0-", b"SSH-1.99-", b"SSH-1.5-")
_LONGEST: Final = 255  # with CR LF


def recognise(payload: bytes) -> Message | Unread:
    """Either side's banner. Lines that a server may send before it are not searched."""
    if not payload.startswith(_BANNERS):
        return MORE if any(banner.startswith(payload) for banner in _BANNERS) else NOT
    if b"\n" in payload[:_LONGEST]:
        return Message("initiation")
    return MORE if len(payload) < _LONGEST else NOT
