"""The actions by the names that scenarios use: one file each, found by discovery when they are asked for."""

from typing import TYPE_CHECKING, Any

from testbed.censor.actions.base import Action, AnyAction
from testbed.censor.discovery import defined_in

if TYPE_CHECKING:
    ACTIONS: dict[str, type[AnyAction]]


def __getattr__(name: str) -> Any:
    if name != "ACTIONS":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = {
        found.key: found
        for found in defined_in(__name__, __path__)
        if isinstance(found, type) and issubclass(found, Action) and found.key
    }
    return globals().setdefault("ACTIONS", found)
