"""`testbed report`: runs, evaluations, monitors and matrices as one page."""

from pathlib import Path

import click

from testbed.cli import options


@click.command(
    short_help="One page of runs, evaluations, monitors and matrices that works offline.",
    epilog=options.examples(
        "testbed report last -o report.html",
        "testbed report runs/before runs/after evaluations/probe rt matrix.json -o all.html",
    ),
)
@click.argument("sources", nargs=-1, required=True, metavar="RUN…")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("report.html"),
    show_default=True,
    metavar="FILE",
    help="The page.",
)
def command(sources: tuple[str, ...], output: Path) -> None:
    """Write a page about everything that RUN… hold: summary, verdicts, pictures, ladders, receipts, scores.

    RUN is a run's folder, 'last', a folder of such folders (`run --all --out`), the folder of an evaluation,
    a monitor or a sweep, or a file that `testbed matrix --json` printed. The page loads nothing. What a
    folder does not hold is named on the page and here.
    """
    from testbed.errors import printable
    from testbed.htmlreport.gather import gather
    from testbed.htmlreport.page import page_of
    from testbed.htmlreport.rendering import rendered, require_libraries
    from testbed.report.outputfile import require_writable, write_text
    from testbed.report.paths import typed

    require_writable({"-o": output})
    require_libraries()
    facts = gather(sources)
    page = page_of(facts)
    write_text(output, rendered(page), "-o")
    for sentence in page.missing:
        click.echo(printable(f"missing: {sentence}"), err=True)
    click.echo(printable(typed(output)))
