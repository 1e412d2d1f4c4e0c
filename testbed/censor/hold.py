"""A rule decides about a flow for a time."""

from dataclasses import dataclass
from typing import Generic

from testbed.censor.actions.base import Action, S


@dataclass(slots=True)
class Hold(Generic[S]):
    """A rule decides about a flow until a time. `state` is what the rule's action remembers of this flow."""

    rule: int
    action: Action[S]
    until: float
    state: S
