"""How much an inspector understands: ten models, from a string search to an end host's view.

The letters are ours; what separates the models was measured with real tools' traces. Which model a real box
follows is known in outline only: split segments and decoys with a low TTL worked together from 2022 to 2024,
so those boxes are D or T, neither P nor Dv; some nodes of 2026 reassemble.
"""

from dataclasses import dataclass
from typing import Final, Literal

View = Literal["bytes", "packet", "first", "flow", "stream"]
ALL_CHECKS: Final = frozenset({"checksum", "md5", "timestamp", "window", "ack", "hop limit"})


@dataclass(frozen=True, slots=True)
class Model:
    """One way to look at a TCP flow."""

    key: str
    title: str
    view: (
        View  # search every packet; parse every packet, the first one, those until one parses, or the stream
    )
    gives_up: bool = False  # unparseable data ends inspection, and a budget limits it (IMC21 §6.2)
    checks: frozenset[str] = frozenset()  # segments that fail one are not looked at
    overlap: Literal["first", "last"] = "first"  # which copy of the same stream bytes counts
    urgent: bool = False  # the urgent byte is taken out of the stream, as an end host does
    records: bool = False  # follows a ClientHello over several TLS records


MODELS: Final[dict[str, Model]] = {
    model.key: model
    for model in (
        Model("A", "name bytes anywhere in any packet", "bytes"),
        Model("P", "every packet alone as a complete ClientHello", "packet"),
        Model("C", "only the first data packet", "first"),
        Model("D", "the first complete ClientHello of a flow decides", "flow"),
        Model("T", "D, with the rules of 2021 for giving up", "flow", gives_up=True),
        Model("Dv", "D, without invalid segments", "flow", checks=ALL_CHECKS),
        Model("R", "reassembled, the first copy counts", "stream"),
        Model("Rl", "reassembled, the last copy counts", "stream", overlap="last"),
        Model(
            "Rv", "R, without invalid segments and the urgent byte", "stream", checks=ALL_CHECKS, urgent=True
        ),
        Model("Rvm", "Rv, over several TLS records", "stream", checks=ALL_CHECKS, urgent=True, records=True),
    )
}
