"""Which client meets what under which profile: a table made from real runs. For docs/clients.md.

A cell is what the client met behind one box of the profile that has the era's rule for it; where nodes of one
profile differ, behind one box of each of its models.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from testbed.censor.profiles import PROFILES
from tests.clients.hellos import crossings, hellos
from tests.clients.lab import LISTED, RESET, Ran, Rule, as_subscriber, python
from tests.clients.test_dpyproxy import ROWS
from tests.clients.test_freeze import MEGABYTE, freezing, https, over_ssh, poured
from tests.clients.test_quic import BLANKET, NAMED, client, first_flight
from tests.clients.test_tls import plain
from tests.clients.test_vpn import FOREIGN, dropping, new_keys, session
from tests.clients.tunnel import PINGS

ERAS = ("t21", "t22", "t23", "t24", "t25", "t26")
NO_RULE = "–"

Start = Callable[[Path, list[Rule], str, str | None], Ran]
"""Run the client in a folder, behind a box with these rules, of a profile, following a model."""


@dataclass(frozen=True)
class Row:
    """One client."""

    title: str
    start: Start
    rules: Callable[[str], list[Rule]]  # by profile; none: no rule of that era is about it
    told: Callable[[Ran], str]


def lines(folder: Path) -> Iterator[str]:
    """The table in Markdown. Every cell is a run in a folder of its own."""
    yield f"| client | on the wire | {' | '.join(ERAS)} |"
    yield "|---" * (len(ERAS) + 2) + "|"
    for number, row in enumerate(ROWS_OF_TABLE):
        place = folder / str(number)
        shape = _shape(row.start(place / "free", [], "t22", None))
        cells = [_cell(place / era, row, era) for era in ERAS]
        yield f"| {row.title} | {shape} | {' | '.join(cells)} |"


def _cell(folder: Path, row: Row, era: str) -> str:
    rules = row.rules(era)
    if not rules:
        return NO_RULE
    models = [model for model, _ in PROFILES[era].models.value]
    met = [row.told(row.start(folder / model, rules, era, model)) for model in models]
    return " or ".join(dict.fromkeys(met))


def _shape(free: Ran) -> str:
    """The client's first flight, seen in a network without a box."""
    crossed = crossings(free.capture) if free.capture.exists() else []
    for name in (LISTED, ROWS["records of 20"][2]):
        if sent := hellos(crossed, name):
            count = len(sent[0].segments)
            return f"{sent[0].size} bytes, {count} segment{'s' * (count != 1)}"
    count = len(first_flight(free)) if crossed else 0
    return f"{count} datagram{'s' * (count != 1)}" if count else ""


def _runs(argv: list[str]) -> Start:
    def start(folder: Path, rules: list[Rule], profile: str, model: str | None) -> Ran:
        return as_subscriber(folder, argv, rules, profile=profile, model=model, capture=True)

    return start


def _by_code(ran: Ran) -> str:
    """Of programs that fail with an exit status."""
    return "passes" if ran.status == 0 else "reset" if ran.rules else f"fails ({ran.status})"


def _by_answer(ran: Ran) -> str:
    """Of our programs, which print libcurl's codes, or Chromium's error."""
    answer = json.loads(ran.out)
    codes = {answer["error"]} if isinstance(answer, dict) else set(answer)
    words = {0: "passes", "": "passes", 35: "reset", "ERR_CONNECTION_RESET": "reset", 28: "silence"}
    return " or ".join(str(words.get(code, code)) for code in sorted(codes, key=str))


def _quic_rules(era: str) -> list[Rule]:
    return {"t21": [], "t22": [BLANKET]}.get(era, [NAMED])


def _from(first: str, rules: list[Rule]) -> Callable[[str], list[Rule]]:
    return lambda era: rules if ERAS.index(era) >= ERAS.index(first) else []


def _tunnel(kind: str) -> Start:
    def start(folder: Path, rules: list[Rule], profile: str, model: str | None) -> Ran:
        keys = new_keys(folder.with_name(f"{folder.name}-keys"))
        return session(folder, keys, kind, FOREIGN, rules, profile=profile)

    return start


def _pings(ran: Ran) -> str:
    seen = ran.answers()
    return f"{seen['replies']} of {PINGS} pings, then silence" if ran.rules else "passes"


def _tls_rows() -> Iterator[Row]:
    always = _from("t21", [RESET])
    for which, title in (("curl", "curl"), ("openssl", "openssl s_client"), ("python", "Python's ssl")):
        yield Row(title, _runs(plain(which, LISTED)), always, _by_code)
    for shape in ("chrome120", "chrome146", "firefox147", "safari184", "safari260"):
        run = _runs(python("handshakes.py", shape, LISTED, "3"))
        yield Row(f"curl_cffi as {shape}", run, always, _by_answer)
    chromium = _runs(python("browse.py", f"https://{LISTED}/", "--disable-quic"))
    yield Row("Chromium", chromium, always, _by_answer)
    for how, (size, way, name, _) in ROWS.items():
        rule = {**RESET, "match": {"tls.sni": [name]}}
        run = _runs(python("through_proxy.py", size, f"https://{name}/", *way))
        yield Row(f"curl through DPYProxy, {how}", run, _from("t21", [rule]), _by_code)


def _other_rows() -> Iterator[Row]:
    for which in ("chrome120", "chrome146", "firefox147", "safari184", "aioquic"):
        title = "aioquic" if which == "aioquic" else f"curl_cffi as {which}"
        yield Row(f"HTTP/3, {title}", _runs(client(which, LISTED)), _quic_rules, _by_answer)
    yield Row("OpenVPN over UDP", _tunnel("openvpn"), _from("t23", [dropping("openvpn")]), _pings)
    yield Row("OpenVPN over TCP", _tunnel("openvpn-tcp"), _from("t23", [dropping("openvpn-tcp")]), _pings)
    yield Row("wireguard-go", _tunnel("wireguard"), _from("t23", [dropping("wireguard")]), _pings)
    frozen = _from("t25", freezing("by packets"))
    for count in (8192, 65_536):
        run = _fixed(partial(_https, count=count))
        yield Row(f"curl, {count // 1024} KB over HTTPS", run, frozen, _transfer)
    yield Row("1 MB over SSH", _fixed(over_ssh), frozen, _transfer)
    yield Row("1 MB of random bytes on port 22", _fixed(poured), frozen, _transfer)


def _https(folder: Path, rules: list[Rule], profile: str, count: int) -> Ran:
    return https(folder, count, rules, profile=profile)


def _fixed(start: Callable[..., Ran]) -> Start:
    """What runs behind a profile's box as it is: models are ways to read TCP's ClientHellos."""
    return lambda folder, rules, profile, model: start(folder, rules, profile=profile)


def _transfer(ran: Ran) -> str:
    """By what came, not by the rule: the close of a transfer may be frozen when all of it has come."""
    return "passes" if int(ran.out) in (8192, 65_536, MEGABYTE) else "freezes"


ROWS_OF_TABLE = (*_tls_rows(), *_other_rows())
