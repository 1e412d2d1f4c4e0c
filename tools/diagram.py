"""Draw the pictures of docs/mechanisms again, from real runs: python tools/diagram.py [NAME…].

Any other scenario is drawn by `testbed ladder`, in the same way.
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from testbed.errors import InvalidRunError, TestbedError  # noqa: E402
from testbed.ladder.recorder import RunOptions, capture_run  # noqa: E402
from testbed.ladder.rows import Sheet  # noqa: E402
from testbed.ladder.sheets import SheetView, laid_out  # noqa: E402
from testbed.ladder.svg import svg  # noqa: E402
from testbed.scenario.loader import load  # noqa: E402
from tools.catalogue import PICTURES, Picture  # noqa: E402

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
    view = SheetView(
        title=picture.title or scenario.title,
        scenario=picture.scenario,
        ports=picture.ports,
        acks=picture.acks,
        fold=picture.fold,
        most=picture.most,
        far=picture.far,
    )
    return laid_out(captured, view)


def main(arguments: list[str]) -> int:
    """The command."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("names", nargs="*", metavar="NAME", help="pictures; default: all")
    options = parser.parse_args(arguments)
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
        path = FOLDER / f"{picture.name}.svg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(svg(made), "utf-8")
        print(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
