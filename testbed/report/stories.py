"""What is printed of a timeline: a line for each phase, and the table of those not as expected."""

import sys
from collections.abc import Sequence

from testbed.errors import Exit, printable
from testbed.model import Scenario
from testbed.report import ending, table
from testbed.report.paths import typed
from testbed.run.result import RunResult, verdict
from testbed.world.scenarioclock import iso


def show_played(
    result: RunResult, scenarios: Sequence[Scenario], *, as_json: bool = False, quiet: bool = False
) -> None:
    """On stdout, or as JSON; with a command as `ending.show`."""
    if as_json or not result.played:
        ending.show(result, scenarios[0], as_json=as_json, quiet=quiet)
        return
    worlds = {one.name: one for one in scenarios}
    for one in result.played:
        span, judged = one.span, one.judgement
        if judged.exit_status != Exit.OK:
            table.show(judged, worlds.get(span.phase.partition(":")[0], scenarios[0]), result.folder)
        print(printable(f"{iso(span.start)}  {span.phase}: {verdict(judged)}"))
    for note in result.notes:
        print(printable(f"note: {note}"), file=sys.stderr)
    print(printable(f"{result.verdict}   {typed(result.folder)}"))
