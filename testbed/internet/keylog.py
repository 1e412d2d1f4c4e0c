"""TLS secrets of the far side's servers, for captures: where to log them, in this process."""

from functools import cache, partial
from pathlib import Path
from ssl import SSLContext

_FILES: list[Path] = []  # one at most: where this process logs


def log_keys_to(file: Path | None) -> None:
    """From now on servers of this process log the secrets of their connections there; None: nowhere."""
    _FILES[:] = [file] if file else []


def logging_keys(context: SSLContext) -> SSLContext:
    """The context, which logs its secrets if this process does."""
    for file in _FILES:
        context.keylog_filename = str(file)
    return context


@cache
def log_quic_keys() -> None:
    """The same of HTTP/3: Hypercorn makes its QUIC configurations itself, and has no setting for this."""
    from aioquic.quic.configuration import QuicConfiguration
    from hypercorn.protocol import quic

    for file in _FILES:
        made = partial(QuicConfiguration, secrets_log_file=file.open("a", buffering=1))
        setattr(quic, QuicConfiguration.__name__, made)
