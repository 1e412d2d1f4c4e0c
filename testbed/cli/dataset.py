"""`testbed dataset`: labelled flows for classifiers, made by the core."""

import os
from pathlib import Path

import click

from testbed.cli import options


@click.command(
    short_help="Labelled flows for classifiers.",
    epilog=options.examples(
        "testbed dataset --flows 100000 --out flows",
        "testbed dataset freeze-16kb-2025 youtube-2024 --flows 5000 --client chrome --out flows",
        "testbed dataset youtube-2024 --flows 2000 --no-pcap --seed 7 --out small",
    ),
)
@click.argument("names", nargs=-1, metavar="NAME…", shell_complete=options.complete_scenario)
@click.option(
    "--flows", type=click.IntRange(1, 100_000_000), default=1000, show_default=True, help="How many."
)
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False),
              help="Folder; with one that was begun, it goes on.")  # fmt: skip
@click.option("--client", "clients", multiple=True, metavar="SHAPE",
              help="Client shapes to draw from; default: all. Repeatable.")  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of every draw.")
@click.option("--ipv", type=click.Choice(["4", "6", "both"]), default="both", show_default=True)
@click.option("--no-pcap", is_flag=True, help="Tables only, without the packets.")
@click.option("--jobs", type=click.IntRange(1, 256), help="Processes; default: one a processor.")
def command(
    names: tuple[str, ...],
    flows: int,
    out: Path,
    clients: tuple[str, ...],
    seed: int,
    ipv: str,
    jobs: int | None,
    *,
    no_pcap: bool,
) -> int:
    """Draw exchanges of scenarios NAME (default: the library), and write their flows with labels.

    FOLDER gets flows/ and packets/ (Parquet), pcap/ (pcapng), README.md (a datasheet) and view.sql (DuckDB).
    Nothing is built and nothing is sent. The same options make the same bytes.

    Exit status: 0; 2 for wrong input, 3 for a full disk, 4 without pyarrow.
    """
    from testbed.dataset.flowplan import DatasetPlan
    from testbed.dataset.make import DatasetFolder
    from testbed.report.progress import Progress
    from testbed.scenario import library
    from testbed.shapes.known import SHAPES, shape_of

    plan = DatasetPlan(
        scenarios=names or tuple(library.names()),
        flows=flows,
        seed=seed,
        clients=tuple(shape_of(one).key for one in clients) or tuple(SHAPES),
        ipv={"4": (4,), "6": (6,)}.get(ipv, (4, 6)),
        pcap=not no_pcap,
    )
    made = DatasetFolder.open(out, plan)
    with Progress(out, "flows") as shown:
        made.make(jobs or os.cpu_count() or 1, shown.tell)
    click.echo(f"{flows} flows in {out}: its README.md describes them")
    return 0
