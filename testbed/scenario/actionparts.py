"""The `action:` of a rule, built from the action classes' own fields, so that a new file needs nothing here.

`action: {police: {rate: 140 kbit/s}}`, or `action: drop` without parameters. A class of your own is in
a Python file beside the scenario and is written `action: {mytechnique.py:Freeze: {after: 16 KiB}}`: its code
is run when the scenario is loaded.
"""

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, create_model

from testbed.censor.actions import ACTIONS
from testbed.errors import nearest
from testbed.scenario.plugin import is_reference
from testbed.scenario.problems import fault
from testbed.scenario.values import given, parameters_of


@dataclasses.dataclass(frozen=True, slots=True)
class ActionCall:
    """An action's key or `file.py:Class`, and its parameters (raw for a class that is not loaded yet)."""

    key: str
    parameters: dict[str, Any]


def _spread(value: object) -> object:
    """`drop` -> {drop: {}}, and the checks of the mapping as a whole."""
    if isinstance(value, str):
        value = {value: {}}
    if not isinstance(value, dict):
        return value
    for key in value:
        if key not in ACTIONS and not is_reference(key):
            raise fault(f"unknown action {key!r}", nearest(key, ACTIONS))
    if len(value) != 1:
        raise fault(f"a rule has one action, not {len(value)}", "write one rule for each")
    return {key: {} if parameters is None else parameters for key, parameters in value.items()}


def _actions_model() -> type[BaseModel]:
    """One optional field per action: places of errors and the JSON Schema come for free."""
    fields: dict[str, Any] = {
        key.replace("-", "_"): (parameters_of(action) | None, Field(None, alias=key))
        for key, action in ACTIONS.items()
    }
    return create_model(
        "Action", __config__=ConfigDict(extra="allow", strict=True, defer_build=True), **fields
    )


if TYPE_CHECKING:
    ActionModel = BaseModel
else:
    ActionModel = _actions_model()

ActionPart = Annotated[ActionModel, BeforeValidator(_spread)]


def call_of(part: BaseModel) -> ActionCall:
    """The one action that a rule gives."""
    if part.model_extra:
        return ActionCall(*next(iter(part.model_extra.items())))
    field = next(iter(part.model_fields_set))
    parameters = getattr(part, field)
    return ActionCall(type(part).model_fields[field].alias or field, given(parameters))
