"""What a censor did to each packet, for the comments of a capture: a line for every decision that acts.

Packets are named by a digest of what no router changes, so that a packet before the censor, and what left of
it, are found in a capture. Lines go into acts.jsonl in the run folder, only where packets are captured.
"""

import json
import os
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from testbed.censor import account
from testbed.censor.decision import Decision
from testbed.censor.policy import Policy

FILE: Final = "acts.jsonl"


class ActLog:
    """Appends to a file that several processes write: one write per line, so lines never mix."""

    def __init__(self, path: Path, censor: str, policy: Policy) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._censor = censor
        self._rules = [rule.name for rule in policy.rules]

    def write(self, decision: Decision, raw: bytes, now: float, censor_now: float) -> None:
        """Note a decision about the packet `raw`, unless nothing was done or noticed."""
        if decision.rule is None and not decision.events:
            return
        matched = next((one for one in decision.events if one.kind in ("match", "unread", "miss")), None)
        rule = self._rules[decision.rule] if decision.rule is not None else matched.rule if matched else ""
        line: dict[str, Any] = {"t": round(now, 6), "censor": self._censor, "rule": rule}
        line |= {"packet": identity(raw), **account.done(decision, censor_now)}
        line.pop("forged", None)
        if decision.packet is not None and line["verdict"] == "replace":
            line["as"] = identity(decision.packet)
        if forged := [identity(one.packet) for one in decision.inject if not one.released]:
            line["forged"] = forged
        if decision.flow is not None:
            line["flow"] = str(decision.flow)
        if matched is not None:
            line |= {"flow": matched.flow, "event": matched.kind, "detail": dict(matched.detail)}
        os.write(self._file, (json.dumps(line, ensure_ascii=False, default=str) + "\n").encode())

    def answer(self, rule: str, name: str, query: bytes, message: bytes, now: float) -> None:
        """Note what a lying resolver sends in place of the true answer; b"" for silence."""
        line = {"t": round(now, 6), "censor": self._censor, "rule": rule, "event": "match"}
        line |= {"packet": digest(query), "verdict": "pass" if message else "drop"}
        line |= {"forged": [digest(message)]} if message else {}
        line |= {"flow": "", "detail": {"action": "dns", "fields": ["dns.qname"], "name": name}}
        os.write(self._file, (json.dumps(line, ensure_ascii=False) + "\n").encode())

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def identity(raw: bytes) -> str:
    """A digest of an IP packet without its hop limit and IPv4's header checksum.

    Padding of a short Ethernet frame is not part of it.
    """
    if raw[0] >> 4 == 4:
        end = int.from_bytes(raw[2:4], "big") or len(raw)
        kept = raw[:8] + raw[9:10] + raw[12:end]
    else:
        end = 40 + int.from_bytes(raw[4:6], "big")
        kept = raw[:7] + raw[8:end]
    return digest(kept)


def digest(message: bytes) -> str:
    """What names a packet, or a DNS message of a lying resolver, which knows no packets."""
    return blake2b(message, digest_size=9).hexdigest()


def acts(path: Path) -> list[Mapping[str, Any]]:
    """The lines of acts.jsonl; one that is cut short is left out."""
    found = []
    for line in path.read_bytes().splitlines() if path.exists() else ():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found
