"""What makes a task of a lab impossible, or right for everybody, whatever is answered. Pure."""

import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Final

from testbed.labs.answers import Task
from testbed.labs.draws import arithmetic

_KEYS: Final = {
    "capture": ({"name", "flags", "ttl"}, {"name", "flags", "ttl"}),
    "command": ({"rule", "acts", "shows"}, set[str]()),
    "detector": ({"recall", "false_alarms", "mechanism"}, set[str]()),
}
"""Of evidence: the keys that there are, and those that there must be."""
_FLAG: Final = re.compile(r"(FIN|SYN|RST|PSH|ACK)(\+(FIN|SYN|RST|PSH|ACK))*")


def faults_of(task: Task, scenario: str) -> Iterator[tuple[str, str]]:
    """What is wrong with a task of one student, and the remedy. `scenario`: the text of theirs."""
    if task.kind in _KEYS:
        yield from _of_evidence(task, scenario)
        return
    for text in (task.answer, *(one.of for one in task.mistakes)):
        try:
            if task.kind in ("number", "interval"):
                arithmetic(text)
            elif task.kind == "address":
                ip_address(text)
        except ValueError as error:
            yield str(error), "a number is calculated: numbers, $names, + - * /; an address is an IP address"
    if task.kind == "choice" and task.answer.casefold() not in map(str.casefold, task.options):
        yield f"the answer {task.answer!r} is none of the options", "write it as one of them"


def _of_evidence(task: Task, scenario: str) -> Iterator[tuple[str, str]]:
    known, needed = _KEYS[task.kind]
    if unknown := sorted(set(task.wanted) - known):
        yield (
            f"evidence of kind {task.kind!r} has no {unknown[0]!r}",
            f"there are: {', '.join(sorted(known))}",
        )
    if missing := sorted(needed - set(task.wanted)):
        yield f"evidence of kind {task.kind!r} needs {missing[0]!r}", f"write: {', '.join(sorted(needed))}"
    elif not task.wanted:
        yield "it says nothing that evidence must show", f"there are: {', '.join(sorted(known))}"
    else:
        yield from _of_values(task, scenario)


def _of_values(task: Task, scenario: str) -> Iterator[tuple[str, str]]:
    match task.kind:
        case "capture":
            yield from _of_capture(task.wanted)
        case "detector":
            for name, text in task.wanted.items():
                if not _is_between(text, 0, 1):
                    yield f"{name} {text!r} is no share", "write 0 to 1: 0.8"
        case _:
            yield from _of_command(task.wanted, scenario)


def _of_capture(wanted: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if not _FLAG.fullmatch(wanted["flags"]):
        yield f"{wanted['flags']!r} are no flags of TCP", "write RST, or RST+ACK"
    if not wanted["ttl"].isdecimal() or not _is_between(wanted["ttl"], 1, 255):
        yield f"{wanted['ttl']!r} is no hop limit", "write 1 to 255; calculate it under `values`"


def _of_command(wanted: Mapping[str, str], scenario: str) -> Iterator[tuple[str, str]]:
    if wanted.get("shows", "secret") != "secret":
        yield f"a command shows no {wanted['shows']!r}", "write shows: secret"
    if ("rule" in wanted) != ("acts" in wanted):
        yield "a rule and whether it acts belong together", 'write {rule: NAME, acts: "yes"}, or "no"'
    elif wanted.get("acts", "yes") not in ("yes", "no"):
        yield f"acts is {wanted['acts']!r}", 'write "yes" or "no", in quotation marks'
    rule = wanted.get("rule", "")
    if rule and scenario and not re.search(rf"(?<![\w.-]){re.escape(rule)}(?![\w.-])", scenario):
        yield f"the scenario has no rule {rule!r}", "name one as it is there"


def _is_between(text: str, least: float, most: float) -> bool:
    try:
        return least <= float(text) <= most
    except ValueError:
        return False
