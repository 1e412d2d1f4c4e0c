"""The tables of a data set: columns, types, and what they mean."""

from typing import Final

from testbed.dataset.features import FEATURES

TRUTH: Final = {
    "label": (
        "string",
        "what the exchange shows: a label of `testbed.scenario.labels`",
    ),
    "mechanism": ("string", "the label of the cause, where one exchange does not show it"),
    "rule": ("string", "the first rule that acted, vantage/box/rule; empty for none"),
    "action": ("string", "its technique"),
    "profile": ("string", "the profile of its box"),
    "models": ("string", "the inspector models that its box draws from"),
    "filtered": ("bool_", "whether the phase's censors were on the way: a coin"),
    "scenario": ("string", "of the library, or its file"),
    "phase": ("string", "of the scenario"),
    "vantage": ("string", "the operator"),
    "client_shape": ("string", "what the client's first packets look like"),
    "transport": ("string", "of the target's kind; dns/udp and dns/tcp for lookups"),
}
"""Column -> type and meaning: what is true."""

DRAWN: Final = {
    "name": ("string", "the target's name, made up"),
    "client": ("string", "address, made up"),
    "server": ("string", "address, made up"),
    "client_port": ("int32", "made up"),
    "server_port": ("int32", "made up"),
    "ipv": ("int32", "IP version, drawn"),
}
"""Column -> type and meaning: what is drawn without regard to the truth."""

FLOW_TYPES: Final = {
    "flow": "int64",  # its number in the data set
    **{key: kind for part in (DRAWN, TRUTH) for key, (kind, _) in part.items()},
    **FEATURES,
}
PACKET_TYPES: Final = {
    "flow": "int64", "packet": "int32", "at": "float64", "up": "bool_", "size": "int32", "payload": "int32",
}  # fmt: skip
TABLES: Final = {"flows": "flows/split=*/*.parquet", "packets": "packets/split=*/*.parquet"}
"""Table -> its files."""
