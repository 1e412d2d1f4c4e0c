"""Answers that are evidence: a capture, a command's result, a detector. Pure.

Such an answer is a JSON object that `testbed lab check` makes from what the student hands over and from what
the world recorded. It has all that is needed to judge it again when a class is graded.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from pydantic import TypeAdapter

from testbed.censor.packet import Packet, parse
from testbed.censor.parsers.tls import ClientHello, client_hello
from testbed.foreignjson import json_value
from testbed.labs.answermark import AnswerMark

_FLAGS: Final = {"FIN": 1, "SYN": 2, "RST": 4, "PSH": 8, "ACK": 16}  # RFC 9293 3.1
_NOTHING: Final = AnswerMark(
    right=False, words="this is no evidence that `testbed lab check` made", counts=False
)


@dataclass(frozen=True, slots=True)
class CaptureEvidence:
    """The packets of one connection, from the file that a student handed over."""

    file: str
    packets: tuple[str, ...]  # each from its IP header on, hexadecimal
    recorded: bool  # whether the world's own record has a matched flow with these ports
    why: str = ""  # why there are no packets


@dataclass(frozen=True, slots=True)
class CommandEvidence:
    """A command that the tool ran in a new world of the lab."""

    command: tuple[str, ...]
    status: int
    output: str  # the end of it
    secret: str  # what the sites of that world had to give away, on a page of their own
    acted: tuple[str, ...]  # rules that acted on its packets, by their names in the scenario


@dataclass(frozen=True, slots=True)
class DetectorEvidence:
    """A student's program, and how it did in worlds whose truth it did not know."""

    file: str
    text: str
    seed: str
    hits: int = 0
    blocked: int = 0
    alarms: int = 0
    free: int = 0
    named: int = 0  # hits whose mechanism is right
    wrong: tuple[str, ...] = ()  # kinds of cases, as a student may know them
    failed: str = ""  # why the laboratory could not try it


Evidence = CaptureEvidence | CommandEvidence | DetectorEvidence


def written(one: Evidence) -> str:
    """The answer as it is kept."""
    return json.dumps(asdict(one), ensure_ascii=False)


def _read(kind: type[Any], given: str) -> Any:
    """What `written` made; None for anything else."""
    try:
        return TypeAdapter(kind).validate_python(json_value(given))
    except ValueError:
        return None


def read_detector(given: str) -> DetectorEvidence | None:
    """The detector of an answer, None if it is no such answer."""
    found: DetectorEvidence | None = _read(DetectorEvidence, given)
    return found


def summary_of(given: str) -> str:
    """Evidence in a few words."""
    try:
        found = json_value(given)
        if "packets" in found:
            return f"{found['file']}: {len(found['packets'])} packets"
        if "command" in found:
            return f"{' '.join(found['command'])[:200]}: exit status {found['status']}"
        return (
            f"{found['file']}: {found['hits']} of {found['blocked']} found, "
            f"{found['alarms']} false alarms of {found['free']}"
        )
    except (ValueError, TypeError, KeyError):
        return given[:200]


def substance(given: str) -> str:
    """What two students cannot both have by chance: a program without its blanks, or packets."""
    try:
        found = json_value(given)
        return "".join(found["text"].split()) if "text" in found else "".join(found["packets"])
    except (ValueError, TypeError, KeyError, AttributeError):
        return given


def judged_command(wanted: Mapping[str, str], given: str) -> AnswerMark:
    """`wanted`: `shows: secret` (the output has it), `rule: NAME` and `acts: yes` or `no`."""
    one: CommandEvidence | None = _read(CommandEvidence, given)
    if one is None:
        return _NOTHING
    if wanted.get("shows") == "secret" and (not one.secret or one.secret not in one.output):
        return AnswerMark(right=False, words="its output does not have what the page says", counts=False)
    acted = wanted.get("rule", "") in one.acted
    if "acts" in wanted and acted != (wanted["acts"] == "yes"):
        return AnswerMark(
            right=False, words="the box acted on it" if acted else "the box did nothing to its packets"
        )
    return AnswerMark(right=True, words="right")


def judged_capture(wanted: Mapping[str, str], given: str) -> AnswerMark:
    """`wanted`: `name` (of the ClientHello), `flags` and `ttl` of the packet that must come back."""
    one: CaptureEvidence | None = _read(CaptureEvidence, given)
    if one is None:
        return _NOTHING
    if not one.packets:
        return AnswerMark(right=False, words=one.why, counts=False)
    if not one.recorded:
        words = "this world has no record of such a connection: capture in a world of your own lab"
        return AnswerMark(right=False, words=words, counts=False)
    forged = [packet for packet in _answers(one.packets, wanted["name"]) if _has(packet, wanted["flags"])]
    if not forged:
        return AnswerMark(
            right=False, words=f"the connection is there, and no {wanted['flags']} comes back", counts=False
        )
    if not any(packet.hop_limit == int(wanted["ttl"]) for packet in forged):
        words = f"a {wanted['flags']} is there, and not the one that the box sent: look at its hop limit"
        return AnswerMark(right=False, words=words)
    return AnswerMark(right=True, words="right")


def hello_of_packet(packet: Packet) -> str:
    """The server name in the ClientHello that a packet carries; "" for none."""
    if packet.protocol != 6 or packet.dport != 443 or not packet.has_payload:
        return ""
    found = client_hello(packet.payload)
    return found.server_name or "" if isinstance(found, ClientHello) else ""


def _answers(packets: tuple[str, ...], name: str) -> Iterator[Packet]:
    """The packets of the server's side, behind the ClientHello with the name."""
    client: tuple[bytes, int] | None = None
    for text in packets:
        try:
            packet = parse(bytes.fromhex(text))
        except ValueError:
            continue
        if packet is None:
            continue
        if hello_of_packet(packet) == name:
            client = packet.source, packet.sport
        elif client == (packet.destination, packet.dport):
            yield packet


def _has(packet: Packet, flags: str) -> bool:
    return all(packet.flags & _FLAGS[one] for one in flags.split("+"))


def judged_detector(wanted: Mapping[str, str], given: str) -> AnswerMark:
    """`wanted`, shares: `recall` and `mechanism` of the blocks at least, `false_alarms` at most."""
    one = read_detector(given)
    if one is None:
        return _NOTHING
    if one.failed:
        return AnswerMark(right=False, words=one.failed, counts=False)
    said = (
        f"found {one.hits} of {one.blocked} blocks, {one.alarms} false alarms at {one.free} others, "
        f"{one.named} of {one.hits} mechanisms right"
    )
    said += f"; wrong about: {', '.join(one.wrong)}" if one.wrong else ""
    right = (
        one.hits >= float(wanted.get("recall", 0)) * one.blocked
        and one.alarms <= float(wanted.get("false_alarms", 1)) * one.free
        and one.named >= float(wanted.get("mechanism", 0)) * one.blocked
    )
    return AnswerMark(right=right, words=f"right: {said}" if right else said)
