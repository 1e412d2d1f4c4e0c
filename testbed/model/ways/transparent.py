"""Through a tool that takes the subscriber's packets by rules of its own making."""

from dataclasses import dataclass
from typing import ClassVar

from testbed.model.clientway import ClientWay


@dataclass(frozen=True, slots=True)
class Transparent(ClientWay):
    """The tool sets up rules, queues or routes by itself, and MUST remove them at its end."""

    key: ClassVar[str] = "transparent"

    by: str = ""  # how, for the reader: "NFQUEUE", "routes"
