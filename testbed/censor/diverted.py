"""Which 4-tuples are the replies to diverted flows: kept per inside host, read when a packet comes down."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from testbed.censor.bounded import Bounded

if TYPE_CHECKING:
    from testbed.censor.flow import FlowKey

_DIVERTED: Final = "diverted"  # in `Flow.shared`
_MAX_FLOWS: Final = 4096  # diverted flows of one inside host; our choice


def remember(shared: dict[str, object], reply: "FlowKey", original: "FlowKey") -> bool:
    """Packets of `reply` belong to the flow `original`; True if another entry gave way."""
    return _table(shared).put(reply, original)


def original(shared: Mapping[str, object] | None, key: "FlowKey") -> "FlowKey":
    """The flow a packet with this key belongs to: its own, or the diverted one it is a reply to.

    `shared` is the inside host's (None: it has none), as `Flow.shared`.
    """
    table = shared.get(_DIVERTED) if shared else None
    return (table.get(key) or key) if isinstance(table, Bounded) else key


def taken(shared: dict[str, object], reply: "FlowKey", by_other_than: "FlowKey") -> bool:
    """Whether these replies are another diverted flow's."""
    known = _table(shared).get(reply)
    return known is not None and known != by_other_than


def _table(shared: dict[str, object]) -> "Bounded[FlowKey, FlowKey]":
    table = shared.setdefault(_DIVERTED, Bounded(_MAX_FLOWS))
    assert isinstance(table, Bounded)
    return table
