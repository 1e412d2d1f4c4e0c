"""Make docs/episodes again, a page for each scenario: python tools/episodes.py [NAME…].

Every phase is run, and one flow is drawn. `--text` renews what follows from the scenarios' files, keeps what
earlier runs gave, and runs nothing.
"""

import argparse
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from testbed.errors import InvalidRunError, TestbedError  # noqa: E402
from testbed.ladder.recorder import RunOptions, capture_run  # noqa: E402
from testbed.ladder.sheets import SheetView, laid_out  # noqa: E402
from testbed.ladder.svg import svg  # noqa: E402
from testbed.model import Scenario  # noqa: E402
from testbed.run.execute import execute  # noqa: E402
from testbed.run.job import Job  # noqa: E402
from testbed.scenario import library  # noqa: E402
from testbed.scenario.loader import load  # noqa: E402
from tools.episode_page import FOLDER, PICTURES, Seen, drawn_flow, index, page, run_block, runs_of  # noqa: E402

INDEX = FOLDER / "README.md"
_LINES = 30  # of a drawn flow


def observed(scenario: Scenario, phase: str) -> Seen:
    """The rows of a run of the phase. InvalidRunError if it did not go as expected."""
    with tempfile.TemporaryDirectory(prefix="episode-") as folder:
        result = execute(Job(scenario, phase=phase, out=Path(folder, "run")))
    rows = result.judgement.rows if result.judgement else ()
    if result.exit_status or not rows:
        differs = [f"{row.vantage} {row.target}: {row.observed}" for row in rows if row.verdict != "ok"]
        raise InvalidRunError("; ".join([f"{phase}: {result.verdict}", *differs]))
    return {(row.vantage, row.target): row for row in rows}


def draw(scenario: Scenario) -> None:
    """Draw the flow of an episode, if it has one. InvalidRunError if no rule acted."""
    flow = drawn_flow(scenario)
    if flow is None:
        return
    captured = capture_run(RunOptions(scenario, flow.vantage, "", flow.censor, (flow.target,)))
    if not captured.fired:
        raise InvalidRunError(f"no rule acted on {flow.target} from {flow.vantage}")
    view = SheetView(title=scenario.title, scenario=scenario.name, most=_LINES)
    PICTURES.mkdir(parents=True, exist_ok=True)
    (PICTURES / f"{scenario.name}.svg").write_text(svg(laid_out(captured, view)), "utf-8")


def renew(name: str, *, run: bool) -> None:
    """Make an episode's page again, with its runs or without."""
    scenario, path = load(name), FOLDER / f"{name}.md"
    runs = runs_of(path.read_text("utf-8")) if path.exists() else {}
    if run:
        runs = {phase: run_block(scenario, phase, observed(scenario, phase)) for phase in scenario.phases}
        draw(scenario)
    path.write_text(page(scenario, runs), "utf-8")
    print(path.relative_to(ROOT), flush=True)


def main(arguments: list[str]) -> int:
    """The command."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("names", nargs="*", metavar="NAME", help="scenarios; default: all")
    parser.add_argument("--text", action="store_true", help="run nothing")
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - set(library.names()):
        parser.error(f"no scenario {', '.join(sorted(unknown))}; there are {', '.join(library.names())}")
    FOLDER.mkdir(parents=True, exist_ok=True)
    status = 0
    for name in options.names or library.names():
        try:
            renew(name, run=not options.text)
        except TestbedError as error:
            print(f"{name}: {error}", file=sys.stderr, flush=True)
            status = error.exit_status
    INDEX.write_text(index(load(name) for name in library.names()), "utf-8")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
