"""The lines of `testbed verify`."""

from collections.abc import Sequence

from testbed.errors import Exit, printable
from testbed.run.verify import VerifiedScenario


def line(found: VerifiedScenario) -> str:
    """What came of one scenario, and what does not agree."""
    mark = {Exit.OK: "agree ", Exit.UNEXPECTED: "DIFFER", Exit.INVALID: "INVALID"}[found.exit_status]
    many = "phase" if len(found.phases) == 1 else "phases"
    again = ", measured again alone" if found.repeated else ""
    measured = f"{found.exchanges} exchanges in {len(found.phases)} {many}"
    head = f"{mark} {found.name}: {measured}, {found.seconds:.0f} s{again}"
    more = [*map(str, found.differences), *found.problems]
    return printable("\n".join([head, *(f"  {one}" for one in more)]))


def closing(done: Sequence[VerifiedScenario], seconds: float) -> str:
    """The sums."""
    exchanges = sum(one.exchanges for one in done)
    apart = sum(len(one.differences) for one in done)
    invalid = sum(one.exit_status == Exit.INVALID for one in done)
    many = "scenario" if len(done) == 1 else "scenarios"
    said = f"{len(done)} {many}, {exchanges} exchanges: "
    said += "policy, file and wire agree" if not apart and not invalid else f"{apart} differ"
    return said + (f", {invalid} invalid" if invalid else "") + f"   {seconds:.0f} s"
