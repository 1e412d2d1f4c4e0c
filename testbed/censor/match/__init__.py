"""What rules look for. A file of this package holds a key, or a few that are one idea; see `key`.

The keys are found by themselves, when they are asked for: a new file needs no line elsewhere.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from inspect import isabstract
from typing import TYPE_CHECKING, Any, Final

from testbed.censor.discovery import defined_in
from testbed.censor.inspect import Kind
from testbed.censor.match.hello import HelloKey
from testbed.censor.match.key import ContentKey, HeaderKey, HistoryKey, Impossible, MatchKey
from testbed.censor.match.rule import CompiledRule, compiled, wanted, with_ports

__all__ = [
    "KEYS",
    "CompiledRule",
    "ContentKey",
    "HeaderKey",
    "HelloKey",
    "HistoryKey",
    "Impossible",
    "Match",
    "MatchKey",
    "compiled",
    "wanted",
    "with_ports",
]

KeyValue = tuple[MatchKey[Any], Any]
_QUIC: Final = frozenset({Kind.QUIC, Kind.INITIAL, Kind.UNREADABLE})


def _rank(key: MatchKey[Any]) -> tuple[int, str]:
    """Content first, then what narrows it, then addresses, then the rest, history last; each by name."""
    if isinstance(key, ContentKey):
        return (1 if key.narrows else 0), key.name
    if isinstance(key, HistoryKey):
        return 4, key.name
    return (2 if isinstance(key, HeaderKey) and not key.per_packet else 3), key.name


def _found() -> dict[str, MatchKey[Any]]:
    keys = [
        found()
        for found in defined_in(__name__, __path__)
        if isinstance(found, type)
        and issubclass(found, MatchKey)
        and hasattr(found, "name")  # the others are bases
        and not isabstract(found)
    ]
    return {key.name: key for key in sorted(keys, key=_rank)}


if TYPE_CHECKING:
    KEYS: dict[str, MatchKey[Any]]
    """The built-in keys by their names in scenario files."""


def __getattr__(name: str) -> Any:
    if name != "KEYS":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return globals().setdefault("KEYS", _found())


@cache
def _by_parameter() -> dict[str, MatchKey[Any]]:
    from testbed.censor.match import KEYS

    return {name.replace(".", "_"): key for name, key in KEYS.items()}


class Match(Mapping[str, Any]):
    """What a rule looks for: keys with their values, by the keys' names. All must hold.

    A rule with a content key is decided by content, when a packet shows it; a rule without, by the packet's
    header. `Match(tls_sni=…)` gives values of built-in keys, a dot in their names written as an underscore;
    `Match([(key, value)])` those of any key. Values that ask for nothing are left out.
    """

    __slots__ = ("_parts",)

    def __init__(self, parts: Iterable[KeyValue] = (), /, **values: Any) -> None:
        """TypeError for a built-in key that does not exist."""
        built_in = _by_parameter() if values else {}
        if unknown := values.keys() - built_in.keys():
            raise TypeError(f"there is no match key {min(unknown)!r}; there are: {', '.join(built_in)}")
        named = [(built_in[name], value) for name, value in values.items()]
        self._parts = {key.name: (key, value) for key, value in (*parts, *named) if key.given(value)}

    def __getitem__(self, name: str) -> Any:
        return self._parts[name][1]

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Match) and self._parts == other._parts

    def __hash__(self) -> int:
        return hash(frozenset(self._parts.values()))

    def __repr__(self) -> str:
        return f"Match({', '.join(f'{name}={value!r}' for name, value in self.items())})"

    @property
    def parts(self) -> tuple[KeyValue, ...]:
        """The keys with their values."""
        return tuple(self._parts.values())

    @property
    def content_parts(self) -> list[tuple[ContentKey[Any], Any]]:
        """The content keys that do not merely narrow others."""
        return [(key, v) for key, v in self.parts if isinstance(key, ContentKey) and not key.narrows]

    @property
    def narrowing_parts(self) -> list[tuple[ContentKey[Any], Any]]:
        """The content keys that narrow others."""
        return [(key, v) for key, v in self.parts if isinstance(key, ContentKey) and key.narrows]

    @property
    def by_content(self) -> bool:
        """Whether the payload, not only the header, decides."""
        return any(isinstance(key, ContentKey) for key, _ in self.parts)

    @property
    def by_data(self) -> bool:
        """Whether nothing but a packet with data decides: no header, no history of the flow."""
        return self.by_content and not any(isinstance(key, HistoryKey) for key, _ in self.parts)

    @property
    def about_quic(self) -> bool:
        """Whether a QUIC datagram may be what decides."""
        parts = self.content_parts or self.narrowing_parts
        return any(key.kinds & _QUIC or "quic" in key.protocols(value) for key, value in parts)

    @property
    def by_first_packet(self) -> bool:
        """Whether a flow's first packet decides, which shows no content."""
        return not self.by_content and not any(
            isinstance(key, HeaderKey | HistoryKey) and key.per_packet for key, _ in self.parts
        )

    def covers(self, later: "Match") -> bool:
        """Whether everything that `later` matches is matched by this already."""
        if any(
            key.splits and later.get(key.name) != self.get(key.name) for key, _ in self.parts + later.parts
        ):
            return False
        return all(key.covers(value, later) for key, value in self.parts)

    def to_json(self) -> dict[str, Any]:
        """The parts by their keys' names, as plain JSON."""
        return {key.name: key.to_json(value) for key, value in self.parts}
