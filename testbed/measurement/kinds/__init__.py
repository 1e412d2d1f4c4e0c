"""The kinds of targets by URL scheme, one file each and found here, and the parser of target URLs."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from pkgutil import iter_modules
from typing import Final
from urllib.parse import urlsplit

from testbed.errors import InputError
from testbed.measurement.target import ProbeKind, Target


def _found() -> Iterator[ProbeKind]:
    for module in iter_modules(__path__):
        name = f"{__name__}.{module.name}"
        for found in vars(import_module(name)).values():
            own = isinstance(found, type) and found.__module__ == name
            if own and issubclass(found, ProbeKind) and found.scheme:
                yield found()


KINDS: Final[Mapping[str, ProbeKind]] = {
    kind.scheme: kind for kind in sorted(_found(), key=lambda kind: (kind.scheme != "https", kind.scheme))
}


def parse(url: str, kinds: Mapping[str, ProbeKind] = KINDS) -> Target:
    """The target that `url` names. InputError says what is wrong with it and which forms there are."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise _wrong(f"{url!r} is not a URL: {error}", kinds) from None
    kind = kinds.get(parts.scheme)
    if kind is None or not host:
        raise _wrong(f"{url!r} is not a target", kinds)
    if port == 0 or parts.username is not None:
        part = "port 0" if port == 0 else "a user"
        raise InputError.at("target", f"{url!r} has {part}", f"write {kind.form}")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    target = Target(url, kind, host, path, port)
    if fault := kind.fault(target):
        raise InputError.at("target", *fault)
    return target


def _wrong(message: str, kinds: Mapping[str, ProbeKind]) -> InputError:
    return InputError.at("target", message, f"write one of {', '.join(kind.form for kind in kinds.values())}")
