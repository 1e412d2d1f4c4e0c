"""Units of the numbers in policies. The scenario loader parses text by these types ("140 kbit/s")."""

from typing import NewType

Seconds = NewType("Seconds", float)
BitsPerSecond = NewType("BitsPerSecond", float)
Octets = NewType("Octets", int)  # bytes on the wire, IP header included
Share = NewType("Share", float)  # 0..1
