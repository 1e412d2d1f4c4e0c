"""What a match key is: one class that knows all about one thing that rules may look for.

Adding one is adding a file to this package, or a Python file beside a scenario. A key says its `name` and the
type of its values; its docstring's first line describes it to editors and readers. Its base class says what
decides it, and `fits` decides:

    ContentKey   something that a payload shows (a name, a protocol); `kinds` says in which contents
    HeaderKey    the packet's header, or who the far host is
    HistoryKey   what the box remembers of the flow, or of the server from other flows

One object of a key serves all rules. What a rule asks for is the value, which `compile` may turn into
something faster once, when the policy is loaded.
"""

import dataclasses
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, NamedTuple, TypeVar

from testbed.censor.inspect import Content, Kind
from testbed.censor.packet import Packet

if TYPE_CHECKING:
    from testbed.censor.flow import Flow
    from testbed.censor.match import Match

V = TypeVar("V")

SHORT: Final = 20  # entries up to which JSON gives a list in full


class Impossible(NamedTuple):
    """Why a match can never hold, or must not be written so."""

    at: tuple[str | int, ...]  # the part of the match: ("ports",)
    message: str
    remedy: str


class MatchKey(ABC, Generic[V]):
    """The base of ContentKey and HeaderKey. `V` is the type of the key's values."""

    name: ClassVar[str]  # in scenario files: "tls.sni"
    shape: ClassVar[Any]  # the type of its values, as scenario files write them (testbed.censor.units)
    written: ClassVar[str | None] = None  # for the documentation: how a value is written, with examples
    former: ClassVar[tuple[str, ...]] = ()  # names that it had: refused with the new one
    splits: ClassVar[bool] = False  # rules with and without it take different flows

    @property
    def description(self) -> str:
        """The docstring's first line without its full stop: "the server name in a TLS ClientHello"."""
        line = (type(self).__doc__ or "").strip().split("\n")[0].removesuffix(".")
        return line[:1].lower() + line[1:]

    def given(self, value: V | None) -> bool:
        """Whether a value asks for anything. A key whose value does not is left out of the match."""
        return value is not None and value != ()

    def compile(self, value: V) -> Any:
        """What `fits` gets: the value itself, or something made of it once that decides faster."""
        return value

    def covers(self, value: V, match: "Match") -> bool:
        """Whether whatever a rule with this match takes fits the value as well.

        Here: if the match has the key with the same value, or of a list only entries of the value.
        """
        other = match.get(self.name)
        if isinstance(value, tuple) and isinstance(other, tuple):
            return set(other) <= set(value)
        return bool(other == value)

    def faults(self, value: V, match: "Match") -> Iterator[Impossible]:
        """Why the value, beside the other keys of its match, can never hold."""
        yield from ()

    def to_json(self, value: V) -> Any:
        """The value as plain JSON, in the form of scenario files; long lists by count and digest."""
        return plain(value)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))

    def __repr__(self) -> str:
        return f"<match key {self.name}>"


class ContentKey(MatchKey[V]):
    """A key that a payload decides.

    The contents of a payload are read by `testbed.censor.inspect`, for the kinds that some rule's keys name.
    """

    kinds: ClassVar[frozenset[Kind]]  # contents that are read for it; if it narrows: where it is alone
    narrows: ClassVar[bool] = False  # applies to the contents that the rule's other keys look for
    exclusive: ClassVar[bool] = False  # no payload shows two of the keys that say this
    at_resolver: ClassVar[bool] = False  # an operator's resolver sees it, too
    transport: ClassVar[str | None] = None  # "tcp" or "udp", if it is seen over one only

    @abstractmethod
    def fits(self, compiled: Any, content: Content) -> bool:
        """Whether a content is what the rule looks for.

        Its kind is one of `kinds`; of a key that narrows, also one of the other keys' of the rule.
        """

    def keywords(self, compiled: Any, payload: bytes) -> Iterable[str]:
        """The names that the rule looks for, anywhere in a payload: for inspectors that only search."""
        return ()

    def protocols(self, value: V) -> tuple[str, ...]:
        """Protocols that must be recognised to decide the value, of `testbed.censor.parsers.PROTOCOLS`."""
        return ()

    def hellos(self, value: V) -> str:
        """How JA4 fingerprints of the ClientHellos in its contents begin: letters of "t", "q" and "d"."""
        return "".join(letter for kind, letter in _LETTERS.items() if kind in self.kinds)

    def faults(self, value: V, match: "Match") -> Iterator[Impossible]:
        """Another transport, or nothing that it could narrow."""
        others = match.content_parts if self.narrows else []
        if others and not any(self.kinds & key.kinds for key, _ in others):
            message = f"the rule can never match: {others[0][0].name} shows no {self.name}"
            yield Impossible((self.name,), message, "write one rule for each")
        asked = match.get("transport")
        if asked == "icmp" or (self.transport and asked and asked != self.transport):
            message = f"the rule can never match: {self.name} is not seen over {asked}"
            remedy = (
                f"write transport: {self.transport}, or leave it out" if self.transport else "leave it out"
            )
            yield Impossible(("transport",), message, remedy)


class HeaderKey(MatchKey[V]):
    """A key that a packet's header decides, or the far host's address and the server's port."""

    per_packet: ClassVar[bool] = False  # packets of one flow may differ: a rule waits for one that fits

    @abstractmethod
    def fits(self, compiled: Any, packet: Packet, outside: bytes, port: int) -> bool:
        """Whether the packet fits.

        `outside` is the far host's address, whoever sent the packet. `port` is the server's: the far host's,
        or the inside host's if the outside opened the flow.
        """


class HistoryKey(MatchKey[V]):
    """A key that the flow's packets so far decide, or what was learned from others."""

    per_packet: ClassVar[bool] = False  # later packets may decide it
    whenever: ClassVar[bool] = False  # it may come to hold for a flow that no rule looks at any more

    @abstractmethod
    def holds(self, compiled: Any, packet: Packet, flow: "Flow", now: float) -> bool | None:
        """Whether the flow fits; None while later packets may still decide it."""

    def reads(self, value: V) -> tuple[str, ...]:
        """The learned lists that deciding the value needs."""
        return ()


_LETTERS: Final = {Kind.TLS: "t", Kind.INITIAL: "q"}


def plain(value: Any) -> Any:
    """A value of a key as plain JSON."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [plain(each) for each in value]
    return value if isinstance(value, bool | int | float | str | type(None)) else str(value)


def plain_list(entries: Sequence[str]) -> list[str] | dict[str, Any]:
    """Texts as JSON: in full, or by count and digest if they are many."""
    if len(entries) <= SHORT:
        return list(entries)
    return {"count": len(entries), "sha256": hashlib.sha256("\n".join(entries).encode()).hexdigest()}
