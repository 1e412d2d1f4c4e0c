"""Write the table of every cited constant of every profile into docs/sources.md: python tools/sources.py."""

import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from testbed.censor.cited import Cited
from testbed.censor.fragments import FragmentForm
from testbed.censor.parsers.quic import Layouts
from testbed.censor.profile import _RESIDUAL_UNKNOWN, Profile, ResetForm
from testbed.censor.profiles import PROFILES

PAGE = Path(__file__).resolve().parents[1] / "docs/sources.md"
BEGIN, END = "<!-- python tools/sources.py -->", "<!-- end -->"

MEANINGS = {
    "inside_opens": "flows opened from outside are never filtered",
    "both_directions": "what the outside host sends triggers too",
    "give_up_over": "an unreadable payload longer than this ends inspection, bytes",
    "extra_packets": "payload packets inspected after a recognised one (least, most)",
    "tls_ports": "far ports on which a ClientHello is looked for",
    "http_ports": "far ports on which a plain HTTP request is looked for",
    "quic_ports": "far ports on which QUIC is looked for",
    "dns_ports": "far ports on which a DNS query is looked for",
    "idle_opening": "a one-sided flow is forgotten after, s",
    "idle_answered": "a flow answered but not yet confirmed is forgotten after, s",
    "idle_established": "an established flow is forgotten after, s",
    "stateless": "each packet is judged by itself, and no flow is held",
    "picks_up_midway": "a TCP flow without a SYN, or idle for too long, is inspected",
    "models": "how it inspects TCP, by share of pairs of hosts (see testbed/censor/models.py)",
    "allows_by_stream": "rules that `allow` names read a ClientHello over several segments, too",
    "quic_layouts": "QUIC Initials that it reads: versions; over several datagrams; padded outside",
    "fragments": "IP fragments buffered: most per packet, timeout in s; none: not buffered",
    "residual": "a flow is held after the trigger by `{}` for, s",
    "quic_residual": "the same by `{}` of rules about QUIC, restarted by each packet, s",
    "reset": "header of an injected RST/ACK, unless the rule says otherwise",
}


def table() -> str:
    """The table in Markdown; profiles that share a constant share a row."""
    shared: dict[tuple[str, str, str, str], list[str]] = {}
    for profile in PROFILES.values():
        for meaning, constant in constants(profile):
            line = (meaning, written(constant.value), constant.source, constant.confidence)
            shared.setdefault(line, []).append(f"`{profile.name}`")
    rows = ["| Constant | Value | Profiles | Source | Confidence |", "|---|---|---|---|---|"]
    for (meaning, value, source, confidence), profiles in sorted(shared.items(), key=_in_order):
        rows.append(f"| {meaning} | {value} | {', '.join(profiles)} | {source} | {confidence} |")
    return "\n".join(rows)


def constants(profile: Profile) -> Iterator[tuple[str, Cited[Any]]]:
    """Every cited constant of a profile with what it means."""
    for field in fields(profile):
        value = getattr(profile, field.name)
        if isinstance(value, Cited):
            yield MEANINGS[field.name], value
    for action, seconds in profile.residual.items():
        yield MEANINGS["residual"].format(action), seconds
    for action, seconds in profile.quic_residual.items():
        yield MEANINGS["quic_residual"].format(action), seconds
    yield MEANINGS["residual"].format("any other action"), _RESIDUAL_UNKNOWN


def written(value: object) -> str:
    """A value as text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, ResetForm):
        df = "set" if value.dont_fragment else "clear"
        return f"TTL {value.hop_limit} at the box, IP-ID {value.ip_id}, DF {df}, window {value.window}"
    if isinstance(value, FragmentForm):
        return f"{value.most}, {value.timeout:g}"
    if isinstance(value, Layouts):
        versions = ", ".join(map(str, value.versions))
        return f"{versions}; {written(value.datagrams)}; {written(value.padding_outside)}"
    if value is None:
        return "none"
    if isinstance(value, tuple) and value and isinstance(value[0], tuple):
        return ", ".join(f"{key} {share:.0%}" for key, share in value)
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "all"
    return str(value)


def renewed(page: str) -> str:
    """The page with the current table. ValueError if the page has no place for it."""
    place = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    if not place.search(page):
        raise ValueError(f"the page has no {BEGIN} … {END}")
    return place.sub(lambda _: f"{BEGIN}\n{table()}\n{END}", page)


def _in_order(entry: tuple[tuple[str, ...], list[str]]) -> tuple[int, str]:
    meaning = entry[0][0]
    starts = [text.partition("{")[0] for text in MEANINGS.values()]
    return next(i for i, start in enumerate(starts) if meaning.startswith(start)), meaning


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text("utf-8")), "utf-8")
