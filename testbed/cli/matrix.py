"""`testbed matrix`: tools and strategies by boxes."""

import json
import sys
from pathlib import Path

import click

from testbed.cli import options

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(
    short_help="Which tool gets through which box, and what decided it.",
    epilog=options.examples(
        "testbed matrix",
        "testbed matrix shadowsocks split-records 'segments:name disorder' --against t24,t26",
        "testbed matrix --core",
        "testbed matrix --search evade --core --against t26",
        "testbed matrix --core 'segments:name disorder' low-ttl chrome --against t26",
        "testbed matrix --core --expect kept.json",
    ),
)
@click.argument("tools", nargs=-1, metavar="[TOOL]...")
@click.option("--core", is_flag=True, help="Without a world: strategy and box are functions. Seconds.")
@click.option("--against", default="models", show_default=True, metavar="A,B",
              help="models, profiles, some of either (R, t24), or scenarios.")  # fmt: skip
@click.option("--repeats", type=click.IntRange(1, 1000), help="Tries of each cell.")
@click.option("--jobs", type=click.IntRange(1, 64), default=8, show_default=True, help="Tries at once, live.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), metavar="FOLDER",
              help="Keep every try there at once; what is there is not tried again.")  # fmt: skip
@click.option("--search", metavar="RECIPE", help="Try the recipe's whole grid, and print what works by cost.")
@click.option("--confirm", type=click.IntRange(0, 100), default=5, show_default=True,
              help="With --search --core: so many of the best are tried live.")  # fmt: skip
@click.option("--expect", type=_FILE, metavar="FILE", help="Compare with a matrix that --json printed.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--csv", "csv_file", type=_FILE, metavar="FILE", help="Also write it as CSV.")
@click.option("--markdown", type=_FILE, metavar="FILE", help="Also write it as Markdown.")
@click.option("--html", type=_FILE, metavar="FILE", help="Also write it as a page with colours.")
def command(
    tools: tuple[str, ...],
    against: str,
    repeats: int | None,
    jobs: int,
    out: Path | None,
    search: str | None,
    confirm: int,
    expect: Path | None,
    csv_file: Path | None,
    markdown: Path | None,
    html: Path | None,
    *,
    core: bool,
    as_json: bool,
) -> int:
    """Try every TOOL against every box, and print what it came to.

    Live it runs in worlds; a TOOL is then the name of a recipe, its file, or a strategy.
    A TOOL is a strategy, as `python -m testbed.evade` takes it ('segments:name disorder'), with a client
    before it if it is not OpenSSL's ('chrome', 'http segments:name', 'quic:decoy'). Without one: the
    reference rows.

    Exit status: 0, or 1 if --expect names another matrix, or a search found nothing for a box.
    """
    if out and (core or search):
        option = "--search" if search else "--core"
        raise click.UsageError(f"--out keeps the tries of live cells, and {option} makes none of those")
    if search:
        from testbed.matrix.livetable import search_all
        from testbed.report.matrixtable import show_found

        results = search_all(search, against.split(","), confirm, jobs, core=core)
        if as_json:
            click.echo(json.dumps([one.to_json() for one in results], ensure_ascii=False, indent=1))
        else:
            show_found(results)
        return 0 if all(one.ranked for one in results) else 1
    from testbed.errors import Exit
    from testbed.matrix.changes import changes, kept_cells
    from testbed.matrix.purecells import pure_table
    from testbed.matrix.reference import reference_rows, row
    from testbed.matrix.scenarioboxes import boxes_named
    from testbed.report.heatmap import matrix_html
    from testbed.report.matrixtable import matrix_csv, matrix_markdown, show_matrix
    from testbed.report.outputfile import require_writable, write_text

    forms = {
        "--csv": (csv_file, matrix_csv),
        "--markdown": (markdown, matrix_markdown),
        "--html": (html, matrix_html),
    }
    require_writable({option: path for option, (path, _) in forms.items() if path})
    kept = kept_cells(expect) if expect else None
    if core:
        rows = [row(text) for text in tools] or reference_rows()
        table = pure_table(rows, boxes_named(against.split(",")), repeats)
    else:
        from testbed.matrix.livetable import bench

        table = bench(
            tools, against.split(","), repeats or 1, jobs, out, _told if sys.stderr.isatty() else None
        )
    for option, (path, form) in forms.items():
        if path:
            write_text(path, form(table), option)
    if as_json:
        click.echo(json.dumps(table.to_json(), ensure_ascii=False, indent=1))
    else:
        show_matrix(table)
    found = changes(table, kept) if kept is not None else ()
    for line in found:
        click.echo(line, err=True)
    return Exit.UNEXPECTED if found else Exit.OK


def _told(line: str) -> None:
    click.echo(line, err=True)
