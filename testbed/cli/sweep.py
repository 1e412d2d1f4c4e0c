"""`testbed sweep`: every combination that a file names, on this machine or a cluster."""

import os
from pathlib import Path

import click

from testbed.cli import options

_MANY = 100_000  # runs that have to be confirmed; our choice


@click.command(
    short_help="Every combination that a file names, as runs.",
    epilog=options.examples(
        "testbed sweep sweep.yaml --out swept",
        "testbed sweep sweep.yaml --core --out swept",
        "testbed sweep sweep.yaml --export flows --out swept",
        "testbed sweep sweep.yaml --scheduler tcp://10.0.0.1:8786 --out swept",
    ),
)
@click.argument("spec", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False),
              help="Folder; with one that was begun, it goes on.")  # fmt: skip
@click.option("--export", type=click.Path(path_type=Path, file_okay=False), metavar="FOLDER",
              help="Keep the flows of each run as a data set there, under drawn names.")  # fmt: skip
@click.option("--local", type=click.IntRange(1, 256), metavar="N",
              help="So many worker processes here; default: one a processor.")  # fmt: skip
@click.option("--scheduler", metavar="ADDRESS", help="A Dask scheduler, tcp://HOST:8786, instead.")
@click.option("--core", is_flag=True, help="Without worlds: probe and strategies by the core. Quick.")
@click.option("--confirm", type=click.IntRange(1), metavar="N",
              help=f"That a sweep of more than {_MANY:,} runs is meant: their number.")  # fmt: skip
def command(
    spec: Path,
    out: Path,
    export: Path | None,
    local: int | None,
    scheduler: str | None,
    confirm: int | None,
    *,
    core: bool,
) -> int:
    """Make the runs of SPEC: scenarios x phases x vantages x detectors or strategies x seeds x parameters.

    What a run came to is kept at once, in Parquet files (trials/, runs/) with a view for DuckDB (view.sql):
    after whatever interruption the same command goes on. Only runs that the laboratory spoiled are tried
    again. `testbed score` and `testbed report` read the folder.

    Exit status: 0; 2 for wrong input, 3 if runs were spoiled every time, no worker is left or a disk is full,
    4 without Dask or pyarrow.
    """
    from testbed.dataset.exportfolder import ExportFolder
    from testbed.errors import Exit, InputError, printable
    from testbed.report.progress import Progress, time_text
    from testbed.sweep.cluster import local_cluster, remote_cluster
    from testbed.sweep.sweepfile import load_sweep
    from testbed.sweep.sweepfolder import SweepFolder
    from testbed.sweep.sweeping import Sweeping

    if local and scheduler:
        raise click.UsageError("--local has workers of its own: leave it or --scheduler out")
    plan = load_sweep(spec, core=core, flows=export is not None)
    folder = SweepFolder.open(out, plan)
    flows = ExportFolder.open(export, plan.to_json()) if export else None
    cluster = remote_cluster(scheduler) if scheduler else local_cluster(local or os.cpu_count() or 1)
    with cluster as client, Progress(out, "runs") as shown:
        sweeping = Sweeping(folder, client, plan.spec.settings, flows)
        if (found := sweeping.estimate()) and found.left:
            size = f"{found.size / 1e6:.1f} MB" if found.size < 1e9 else f"{found.size / 1e9:.0f} GB"
            said = (
                f"{len(plan)} runs, {found.left} to make: about {time_text(found.seconds)} "
                f"with {found.workers} workers, {size} at most"
            )
            click.echo(f"testbed: {said}", err=True)
            if found.left > _MANY and confirm != len(plan):
                raise InputError.at(str(spec), said, f"if that is meant, give --confirm {len(plan)}")
        sweeping.make(shown.tell)
    click.echo(f"{len(plan)} runs in {out}: testbed score {out}, testbed report {out}")
    if export:
        click.echo(f"flows in {export}: its README.md describes them")
    if folder.first_failed:
        number, why = folder.first_failed
        first = f"run {number} ({plan.run(number).title}): {why}"
        click.echo(printable(f"the laboratory failed in {folder.failed} of them: {first}"), err=True)
        return Exit.INVALID
    return Exit.OK
