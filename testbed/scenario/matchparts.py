"""The `match:` of a rule, built from the match keys themselves, so that a new key needs nothing here.

`match: {tls.sni: a.com, ports: 443}`. A key of your own is in a Python file beside the scenario and is
written `match: {mykey.py:HopLimit: 30}`: its code is run when the scenario is loaded.
"""

import json
from typing import TYPE_CHECKING, Annotated, Any, Final, get_origin

from pydantic import AfterValidator, BeforeValidator, Field, create_model

from testbed.censor.match import KEYS, MatchKey
from testbed.scenario.listparts import PARTS
from testbed.scenario.part import Part
from testbed.scenario.plugin import is_reference
from testbed.scenario.problems import fault
from testbed.scenario.values import for_hint

PLUGINS: Final = "FILE.py:Class"  # where the model keeps the keys from Python files


def type_of(key: MatchKey[Any]) -> Any:
    """The pydantic type of a key's values. HintError if its shape is none that files can have."""
    found = for_hint(key.shape)
    listed = get_origin(key.shape) is tuple and key.shape not in PARTS
    return Annotated[found, AfterValidator(_not_empty)] if listed else found


def _not_empty(value: tuple[Any, ...]) -> tuple[Any, ...]:
    if not value:
        raise fault("the list is empty", "give it at least one entry, or leave the key out")
    return value


def _apart(value: object) -> object:
    """The keys from Python files by themselves, for they are not known before those are run."""
    if not isinstance(value, dict):
        return value
    own = {key: each for key, each in value.items() if is_reference(key)}
    rest = {key: each for key, each in value.items() if key not in own}
    return {**rest, PLUGINS: own} if own else rest


def _renamed(former: str, name: str) -> Any:
    """A type for a key's former name: always an error that names the new one."""

    def refuse(value: object) -> object:
        raise fault(f"the key {former!r} is now called {name!r}", f"write {name}: {json.dumps(value)[:80]}")

    return Annotated[Any, BeforeValidator(refuse)]


def _match_model() -> type[Part]:
    """One optional field per key: places of errors and the JSON Schema come for free."""
    fields: dict[str, Any] = {}
    for name, key in KEYS.items():
        fields[name.replace(".", "_")] = (
            type_of(key) | None,
            Field(None, alias=name, description=key.description),
        )
        for former in key.former:
            fields[former] = (_renamed(former, name), Field(None))
    fields["plugins"] = (dict[str, Any], Field({}, alias=PLUGINS))
    doc = "What a rule looks for; all parts given must hold."
    return create_model("MatchPart", __base__=Part, __doc__=doc, **fields)


if TYPE_CHECKING:

    class MatchModel(Part):
        """What mypy needs to know of it."""

        plugins: dict[str, Any]
else:
    MatchModel = _match_model()

MatchPart = Annotated[MatchModel, BeforeValidator(_apart)]


def values_of(part: MatchModel) -> dict[str, Any]:
    """The parsed values of the built-in keys that a rule gives, in the order of KEYS."""
    found = {name: getattr(part, name.replace(".", "_")) for name in KEYS}
    return {name: value for name, value in found.items() if value is not None}


def former_names() -> set[str]:
    """Names that keys had."""
    return {former for key in KEYS.values() for former in key.former}
