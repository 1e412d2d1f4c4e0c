"""The `action:` of a rule, built from the action classes' own fields, so that a new file needs nothing here.

`action: {police: {rate: 140 kbit/s}}`, or `action: drop` without parameters. A class of one's own stands in
a Python file beside the scenario and is written `action: {mytechnique.py:Freeze: {after: 16 KiB}}`: its code
is run when the scenario is loaded.
"""

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, create_model

from testbed.censor.actions import ACTIONS
from testbed.scenario.problems import fault, nearest
from testbed.scenario.values import for_hint


@dataclasses.dataclass(frozen=True, slots=True)
class ActionCall:
    """An action's key or `file.py:Class`, and its parameters (raw for a class that is not loaded yet)."""

    key: str
    parameters: dict[str, Any]


def parameters_of(action: Any) -> type[BaseModel]:
    """A model of an action dataclass' parameters: unknown ones forbidden, units parsed."""
    hints = get_type_hints(action)
    fields: dict[str, Any] = {}
    for field in dataclasses.fields(action):
        default: Any = ... if field.default is dataclasses.MISSING else field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        fields[field.name] = (for_hint(hints[field.name]), default)
    config = ConfigDict(extra="forbid", strict=True, defer_build=True)
    return create_model(action.__name__, __config__=config, __doc__=(action.__doc__ or "").strip(), **fields)


def _spread(value: object) -> object:
    """`drop` -> {drop: {}}, and the checks that need the mapping as a whole."""
    if isinstance(value, str):
        value = {value: {}}
    if not isinstance(value, dict):
        return value
    for key in value:
        if key not in ACTIONS and ".py:" not in str(key):
            raise fault(f"unknown action {key!r}", nearest(key, ACTIONS))
    if len(value) != 1:
        raise fault(f"a rule has one action, not {len(value)}", "write one rule for each")
    return {key: {} if parameters is None else parameters for key, parameters in value.items()}


def _actions_model() -> type[BaseModel]:
    """One optional field per action: gives places of errors and the JSON Schema for free."""
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


def given(model: BaseModel) -> dict[str, Any]:
    """The parameters that were written, parsed."""
    return {name: getattr(model, name) for name in model.model_fields_set}
