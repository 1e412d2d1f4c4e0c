"""The actions by the names that scenarios use: one file each, found by discovery."""

from typing import Final

from testbed.censor.actions.base import Action, AnyAction
from testbed.censor.discovery import defined_in

ACTIONS: Final[dict[str, type[AnyAction]]] = {
    found.key: found
    for found in defined_in(__name__, __path__)
    if isinstance(found, type) and issubclass(found, Action) and found.key
}
