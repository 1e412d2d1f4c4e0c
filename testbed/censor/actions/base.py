"""What a technique is: a frozen dataclass of parameters with hooks for the flows that its rule takes.

Adding one is adding a file. Give it a `key`, parameters with units, and as many of the hooks below as it
needs. The action itself never changes, because one action serves many flows. What it remembers of a flow has
a type of its own, made by `begin` and passed as `ctx.state`: `Action[Count]` says which, and
`Action[None]` remembers nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Final, Generic, TypeVar

from testbed.censor.decision import PASS, Decision, Direction
from testbed.censor.flow import Flow
from testbed.censor.handover import Handover
from testbed.censor.packet import Packet
from testbed.censor.profile import Profile

_OPERATORS_OWN: Final = "operators_own"

S = TypeVar("S")
H = TypeVar("H")


@dataclass(frozen=True, slots=True)
class Context(Generic[S]):
    """One packet and what an action may know about it."""

    packet: Packet
    direction: Direction
    flow: Flow
    now: float  # seconds of the censor's clock
    rule: int  # index of the rule in its policy
    profile: Profile
    draw: Callable[[str], float]  # draw("purpose") -> [0, 1), the same for the same seed, flow and purpose
    state: S  # what this action remembers of the flow; None within `begin`
    time_scale: float = 1.0  # seconds of `now` in a real second; rates are per real second

    def of_host(self, make: Callable[[], H]) -> H:
        """What this rule remembers of the inside host, over all its flows; made by `make` the first time."""
        return self.flow.host.state_of(self.rule, make)


@dataclass(frozen=True, slots=True)
class ResolverReply:
    """What an operator's resolver with this action sends: a message, silence, or the true answer."""

    message: bytes = b""  # b"" : silence
    true: bool = False


@dataclass(frozen=True, slots=True)
class Action(Generic[S]):
    """The technique's side of a rule. This base lets everything pass.

    A `Decision` need not name its rule: the core does. A replacement equal to its packet is a PASS.
    """

    key: ClassVar[str] = ""  # how a scenario names it: "police"
    keeps_inspecting: ClassVar[bool] = False  # content rules above may still take a held flow over
    cause: ClassVar[str | None] = None  # label of the cause that one measurement does not show: "conncount"
    only_in_path: ClassVar[bool] = False  # it drops, delays or rewrites, and injects nothing
    exempts: ClassVar[bool] = False  # what it takes is left alone: rules below wait until it is decided
    either_opener: ClassVar[bool] = (
        False  # a header rule with it also holds flows that were opened from outside
    )

    def begin(self, ctx: Context[None]) -> S:
        """Make what is remembered of a flow that the rule takes: once, before `on_match`."""
        return None  # type: ignore[return-value]  # right for Action[None]; every other overrides this

    def on_match(self, ctx: Context[S]) -> Decision:
        """Decide about the packet that triggered the rule."""
        return PASS

    def on_packet(self, ctx: Context[S]) -> Decision:
        """Decide about a later packet of a flow that this rule holds, either direction."""
        return PASS

    def prepare(self) -> None:
        """Load what deciding needs. Called once where the rule is at work, before the first packet."""

    def holds_for(self, profile: Profile) -> float:
        """Seconds (censor's clock) for which the rule keeps the flow; 0 ends it with the trigger."""
        return 0.0

    def admits(self) -> int | None:
        """How many flows of an inside host it lets begin before it acts on one; None: it acts on each."""
        return None

    def refreshes(self, profile: Profile) -> bool:
        """Whether the flow's later packets restart that time."""
        return False

    def handovers(self, profile: Profile) -> tuple[Handover, ...]:
        """Every `Drop` and `Police` that a decision of this action may hand over.

        The kernel's tables are made from these values before the first packet. A decision that hands over
        anything else is refused by the core, and `Pass` need not be declared.
        """
        return ()

    def needs(self) -> tuple[str, ...]:
        """What it does nothing without: "in-path", a box in the path; "down", packets from outside."""
        return ("in-path",) if self.only_in_path else ()

    @property
    def spreads(self) -> bool:
        """Whether it may take flows that its rule's match does not fit, as `wants` says."""
        return False

    def wants(self, flow: Flow, rule: int, now: float) -> bool:
        """Whether it takes this flow for what it did to others of the inside host.

        Asked, if `spreads`, about packets of flows that no rule holds. Rules above this one decide first.
        """
        return False

    def resolver_reply(self, query: bytes) -> ResolverReply:
        """What an operator's resolver with this rule answers. To override it is to say that it can."""
        raise NotImplementedError(f"a resolver cannot do {self.key!r}")

    @property
    def resolves(self) -> bool:
        """Whether an operator's resolver can carry it out."""
        return resolves(type(self))

    def also_seen_as(self, label: str) -> tuple[str, ...]:
        """Other labels (`testbed.scenario.labels`) that a client may see when the effect is `label`."""
        return ()

    def also_seen_over_ipv6(self, label: str) -> tuple[str, ...]:
        """The same, over IPv6 alone, of an effect that is `label` where both IP versions are meant."""
        return ()

    @property
    def limits_host(self) -> bool:
        """Whether all matched flows of an inside host share one rate."""
        return False

    @property
    def learns(self) -> tuple[str, ...]:
        """Names of the learned lists that it fills."""
        return ()

    @property
    def leads_to(self) -> tuple[str, ...]:
        """Addresses of other hosts than the packet's own to which it sends packets."""
        return ()


AnyAction = Action[Any]


def resolves(kind: type[AnyAction]) -> bool:
    """Whether an operator's resolver can carry out actions of this class."""
    return kind.resolver_reply is not Action.resolver_reply


@dataclass(frozen=True, slots=True)
class OperatorsOwn:
    """What the text "operator" means as a parameter's value: an attribute of the network's operator."""

    attribute: str  # "block_page", "sinkhole4", …
    may_lack: bool = False  # an operator without it is allowed: the parameter is then empty


def operators_own(attribute: str, default: Any, *, may_lack: bool = False) -> Any:
    """A parameter whose value may be "operator"; see `OperatorsOwn`."""
    return field(default=default, metadata={_OPERATORS_OWN: OperatorsOwn(attribute, may_lack)})


def operators_parameters(kind: type[AnyAction]) -> dict[str, OperatorsOwn]:
    """The parameters of an action's class that may be "operator", by name."""
    return {one.name: one.metadata[_OPERATORS_OWN] for one in fields(kind) if _OPERATORS_OWN in one.metadata}


def cut_late(label: str) -> tuple[str, ...]:
    """`also_seen_as` of an action that drops after some packets: by then an answer may have begun."""
    late = {"tls.sni.drop": ("freeze",), "http.drop": ("freeze", "tls.sni.drop"), "quic.drop": ("freeze",)}
    return late.get(label, ())


def residual(given: float | None, action: str, profile: Profile) -> float:
    """The parameter if the scenario gives it, else the profile's."""
    return profile.residual_of(action) if given is None else given
