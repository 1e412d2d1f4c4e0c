"""Policies and steps that many cases share."""

from testbed.censor.actions.base import AnyAction
from testbed.censor.policy import Policy
from testbed.conformance.backend import Box
from testbed.conformance.builders import action, sni
from testbed.conformance.case import Dialogue
from testbed.conformance.payloads import RECORD, SERVER_HELLO, hello
from testbed.conformance.series import Burst
from testbed.conformance.steps import OPENED, DialogueStep, L, R, SendPacket, tcp

POLICED_2021 = 140_000  # bit/s; IMC21 §5: 130-150
BUCKET_2021 = 16_384  # bytes; CP21
POLICED_2022 = 5_200  # bit/s: 650 bytes/s (NEVOD)
BUCKET_2022 = 1_000  # bytes; our choice

_MANY = 30  # packets of 1,400 bytes: more than any bucket here holds
_SIZE = 1400


def sni_action(profile: str) -> AnyAction:
    """What the rules of that era do on a server name."""
    if profile == "t21":
        return action("police", rate=POLICED_2021, burst=BUCKET_2021)
    if profile == "t22w":
        return action("police", rate=POLICED_2022, burst=BUCKET_2022)
    return action("rst-rewrite")


def sni_policy(profile: str, *patterns: str) -> Policy:
    """A rule by server name with that action."""
    return sni(profile, sni_action(profile), *patterns)


def rule_acts(profile: str) -> DialogueStep:
    """Check that this action affects the flow, by packets of the server."""
    if profile == "t21":
        return Burst("R", _MANY, _SIZE, 11, 13)  # 17,500 bytes: one second of the rate, which is the larger
    if profile == "t22w":
        return Burst("R", _MANY, _SIZE, 0, 1)
    return R(SERVER_HELLO).becomes_reset


def no_rule_acts() -> DialogueStep:
    """Check that nothing affects the flow: every packet of the server arrives."""
    return Burst("R", _MANY, _SIZE, _MANY, _MANY)


def control(profile: str, payload: bytes = b"", port: int = 443) -> tuple[DialogueStep, ...]:
    """Another flow on which the same rule acts, as proof that it was active."""
    return (
        tcp(port, "a new flow"),
        *OPENED,
        L(payload or hello()).passes,
        rule_acts(profile),
    )


def dialogue(
    policy: Policy, *steps: DialogueStep, label: str = "", scale: float = 1.0, **more: object
) -> Dialogue:
    """One box with this policy, two hops from L."""
    return Dialogue((Box(policy),), steps, label, scale, **more)  # type: ignore[arg-type]


def data(who: str = "L") -> SendPacket:
    """A record of application data."""
    return (L if who == "L" else R)(RECORD, "data")
