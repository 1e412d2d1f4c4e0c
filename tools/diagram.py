"""Draw what a censor did to packets, from a real run: python tools/diagram.py [--text] [NAME…].

Without a name it regenerates every picture of docs/mechanisms. With --scenario it draws any scenario:

    python tools/diagram.py --text --scenario mine.yaml --vantage mts https://twitter.com/
    python tools/diagram.py --scenario mine.yaml --out mine.svg -- curl https://twitter.com/

The world is built as for `testbed run`, with 20 ms each way between the operator and the far side.
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from testbed.errors import InvalidRunError, TestbedError  # noqa: E402
from testbed.scenario.loader import load  # noqa: E402
from tools.sequence.capture import CapturedRun, RunOptions, capture_run  # noqa: E402
from tools.sequence.catalogue import PICTURES, Picture  # noqa: E402
from tools.sequence.match import arrows  # noqa: E402
from tools.sequence.rows import Sheet, rows  # noqa: E402
from tools.sequence.svg import svg  # noqa: E402
from tools.sequence.text import text  # noqa: E402

FOLDER = ROOT / "docs/mechanisms/pictures"


def sheet(picture: Picture) -> Sheet:
    """Run it and lay out the diagram. InvalidRunError if no rule acted."""
    name = picture.scenario if "/" not in picture.scenario else str(ROOT / picture.scenario)
    scenario = load(name)
    run_options = RunOptions(
        scenario,
        picture.vantage,
        picture.phase,
        picture.censor,
        picture.targets,
        tuple(part.replace("PYTHON", sys.executable).replace("ROOT", str(ROOT)) for part in picture.command),
        tuple(part.replace("PYTHON", sys.executable).replace("ROOT", str(ROOT)) for part in picture.peer),
        picture.linger,
        picture.timeout,
        picture.delay,
    )
    captured = capture_run(run_options)
    if not (captured.fired or picture.idle):
        raise InvalidRunError(f"{picture.name}: no rule of {captured.placement.name} acted")
    return laid_out(picture, scenario.title, captured)


def laid_out(picture: Picture, title: str, captured: CapturedRun) -> Sheet:
    """The sheet of a capture."""
    place = captured.placement
    resolver = place.at == "resolver"
    found = arrows(captured.packets, place.hop, picture.ports)
    lines, notes = rows(found, acks=picture.acks, most=picture.most, fold=picture.fold)
    rules = ", ".join(captured.fired) or "none"
    where = "the operator's resolver" if resolver else f"hop {place.hop}"
    box = f"{place.name} at {where} ({place.policy.profile.name})"
    run = f"{Path(picture.scenario).stem}, phase {captured.phase}, {box}; acted: {rules}"
    beyond = "" if resolver else " and one hop beyond the censor"
    behind = "" if resolver else f", {captured.delay * 1000:g} ms from the far side"
    notes.insert(0, f"Packets of a run, seen at the subscriber's interface{beyond}{behind}.")
    return Sheet(
        picture.title or title,
        run,
        ("subscriber", "resolver" if resolver else "censor", picture.far),
        tuple(lines),
        tuple(notes),
        ends_at_censor=resolver,
    )


def main(arguments: list[str]) -> int:
    """The command."""
    at = arguments.index("--") if "--" in arguments else len(arguments)
    own, command = arguments[:at], arguments[at + 1 :]
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("names", nargs="*", metavar="NAME", help="pictures, or targets with --scenario")
    parser.add_argument("--text", action="store_true", help="print it for a terminal instead of writing SVG")
    parser.add_argument("--scenario", help="a scenario of the library or a file")
    parser.add_argument("--vantage", default="")
    parser.add_argument("--phase", default="")
    parser.add_argument("--censor", default="", help="which one, if the path has several")
    parser.add_argument("--port", type=int, action="append", default=[], help="only this far port")
    parser.add_argument("--delay", type=float, default=20.0, help="ms each way beyond the operator")
    parser.add_argument("--most", type=int, default=40, help="lines")
    parser.add_argument("--out", type=Path, help="with --scenario: where the SVG goes")
    options = parser.parse_args(own)
    if options.scenario:
        chosen = [_free(options, command)]
    else:
        unknown = set(options.names) - set(PICTURES)
        if unknown:
            parser.error(f"no picture {', '.join(sorted(unknown))}; there are {', '.join(PICTURES)}")
        chosen = [PICTURES[name] for name in options.names or PICTURES]
    for picture in chosen:
        try:
            made = sheet(picture)
        except TestbedError as error:
            print(f"{picture.name}: {error}", file=sys.stderr)
            return error.exit_status
        if options.text:
            print(text(made), end="")
        else:
            path = options.out or (
                Path(f"{picture.name}.svg") if options.scenario else FOLDER / f"{picture.name}.svg"
            )
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(svg(made), "utf-8")
            print(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
    return 0


def _free(options: argparse.Namespace, command: list[str]) -> Picture:
    return Picture(
        name=Path(options.scenario).stem,
        scenario=options.scenario if "/" not in options.scenario else str(Path(options.scenario).resolve()),
        vantage=options.vantage,
        phase=options.phase,
        censor=options.censor,
        targets=tuple(options.names),
        command=tuple(command),
        ports=tuple(options.port),
        most=options.most,
        delay=options.delay / 1000,
        idle=True,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
