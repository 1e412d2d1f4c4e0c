"""What a command did in a world, what the rules did to its packets, and assertions about both."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from testbed.errors import nearest
from testbed.truth.proofs import is_rule

_TAIL = 600  # characters of an output in a failure message


@dataclass(frozen=True, slots=True)
class VantageResult:
    """A finished command, as `subprocess.CompletedProcess` has it, with what the world recorded meanwhile."""

    args: Sequence[str]
    returncode: int  # as a shell gives it: 128 + n after signal n
    stdout: Any
    stderr: Any
    scenario: str
    phase: str
    vantage: str
    rules: tuple[str, ...]  # "mts/tspu/rule": those that its packets triggered, in order
    passed: tuple[str, ...]  # names that a rule lists and that went by unread, with the reason
    known: tuple[str, ...]  # every rule at this vantage in this phase
    alone: bool = True  # no other command ran there meanwhile: then the rules may be another's

    def __str__(self) -> str:
        """Several lines that explain it."""
        place = f"{self.vantage} in {self.scenario}/{self.phase}"
        lines = [
            f"command     {' '.join(map(str, self.args))}",
            f"at          {place}",
            f"exit status {self.returncode}",
            f"rules met   {', '.join(self.rules) or 'none'}",
            f"rules here  {', '.join(self.known) or 'none'}",
        ]
        lines += [f"passed      {one}" for one in self.passed]
        for name, text in (("stdout", self.stdout), ("stderr", self.stderr)):
            if text:
                shown = text if isinstance(text, str) else text.decode("utf-8", "replace")
                lines.append(f"{name:11} {shown[-_TAIL:].rstrip()}")
        return "\n".join(lines)


def assert_blocked(result: VantageResult, *, by: str | None = None) -> None:
    """Fail unless a rule acted on the command's packets; `by` names it: "rule" or "policy/rule".

    It is about what the censors did, not about how the command ended: a policer lets curl end with 0.
    """
    __tracebackhide__ = True
    _require_own_rules(result)
    if by is None:
        if not result.rules:
            raise AssertionError(f"no rule acted on the command's packets\n{result}")
        return
    if any(is_rule(rule, result.vantage, by) for rule in result.rules):
        return
    names = {rule.split("/", 2)[2] for rule in result.known}
    if by.rpartition("/")[2] not in names:
        raise AssertionError(f"there is no rule {by!r} here; {nearest(by, names)}\n{result}")
    raise AssertionError(f"rule {by!r} did not act on the command's packets\n{result}")


def assert_free(result: VantageResult) -> None:
    """Fail if a rule acted on the command's packets, or if the command did not end with 0."""
    __tracebackhide__ = True
    _require_own_rules(result)
    if result.rules:
        raise AssertionError(f"a rule acted on the command's packets\n{result}")
    if result.returncode:
        raise AssertionError(f"no rule acted, and the command failed all the same\n{result}")


def _require_own_rules(result: VantageResult) -> None:
    __tracebackhide__ = True
    if result.rules and not result.alone:
        raise AssertionError(
            "several commands ran at once at this vantage, and nobody knows whose packets met these rules; "
            f"run them one after another, or look at receipts()\n{result}"
        )
