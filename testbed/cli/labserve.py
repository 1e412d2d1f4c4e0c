"""`testbed lab serve`: a class on one server."""

from pathlib import Path
from typing import Final

import click

from testbed.cli import options
from testbed.errors import Exit, InputError, UnsupportedError

_MEGABYTE: Final = 1 << 20


@click.command(
    "serve",
    short_help="A class on this machine: a page and a world for each student.",
    epilog=options.examples(
        "testbed lab serve 1 --students class.txt",
        "testbed lab serve 4 --students class.csv --most 20 --idle 10",
        "testbed lab serve 1 --students class.txt --listen 192.0.2.7 --certificate c.pem --key k.pem",
    ),
)
@click.argument("name")
@click.option(
    "--students", required=True, type=click.Path(path_type=Path), metavar="FILE",
    help="A name in each line, or a CSV file with a column \"student\".",
)  # fmt: skip
@click.option(
    "--folder", type=click.Path(path_type=Path), help="Where answers are kept.  [default: class-LAB]"
)
@click.option(
    "--class", "code", metavar="CODE", help="Draws the students' values.  [default: a secret one, kept]"
)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="[default: any free]")
@click.option(
    "--listen", default="127.0.0.1", metavar="ADDRESS", show_default=True, help="Where it is reached."
)
@click.option("--host", "hosts", multiple=True, metavar="NAME", help="A name by which browsers reach it.")
@click.option(
    "--certificate", type=click.Path(path_type=Path), metavar="FILE", help="For https: the chain in PEM."
)
@click.option("--key", type=click.Path(path_type=Path), metavar="FILE", help="Its key.")
@click.option("--plain", is_flag=True, help="Allow --listen without a certificate: nothing is encrypted.")
@click.option("--most", type=click.IntRange(min=1), help="Worlds open at once.  [default: as memory allows]")
@click.option(
    "--at-once", type=click.IntRange(min=1), help="Worlds built at once.  [default: half the cores]"
)
@click.option(
    "--idle",
    type=click.FloatRange(min=0.05),
    default=15.0,
    show_default=True,
    help="Minutes unused until a world ends.",
)
@click.option(
    "--memory",
    type=click.IntRange(min=100),
    default=700,
    show_default=True,
    help="Megabytes for a student's world.",
)
@click.option(
    "--space",
    type=click.IntRange(min=1),
    default=256,
    show_default=True,
    help="Megabytes of a student's files.",
)
def command(
    name: str,
    students: Path,
    folder: Path | None,
    code: str | None,
    port: int,
    listen: str,
    hosts: tuple[str, ...],
    certificate: Path | None,
    key: Path | None,
    plain: bool,  # noqa: FBT001
    most: int | None,
    at_once: int | None,
    idle: float,
    memory: int,
    space: int,
) -> int:
    """Serve lab NAME to the students of FILE: a page for each, with a terminal in a world of their own.

    Each link that is printed works once, for one browser. The lecturer's page shows who has done what. A
    world is built when its student asks for it, and ends when nobody works in it; answers stay. Students see
    neither each other's files nor the rules of their world.
    """
    from testbed.labs.classfolder import ClassFolder
    from testbed.labs.labfile import load_lab
    from testbed.labs.roster import read_students

    _require("starlette", "hypercorn", "jinja2")
    lab, names = load_lab(name), read_students(students)
    import os

    from testbed.console.classserver import ClassAddress, checked, serve_class
    from testbed.labs.classworlds import ClassLimits

    address = checked(
        ClassAddress(listen=listen, port=port, names=hosts, certificate=certificate, key=key), plain=plain
    )
    limits = ClassLimits(
        idle=idle * 60, memory=memory * _MEGABYTE, space=space * _MEGABYTE, most=most or 0,
        at_once=at_once or max(1, (os.cpu_count() or 2) // 2),
    )  # fmt: skip
    place = folder or Path(f"class-{lab.name}")
    try:
        kept = ClassFolder.open(place, lab, code)
    except OSError as error:
        raise InputError.at("--folder", f"{place}: {error.strerror}", "name another") from error
    serve_class(kept, names, limits, address, click.echo)
    return Exit.OK


def _require(*modules: str) -> None:
    from importlib.util import find_spec

    if missing := [one for one in modules if find_spec(one) is None]:
        raise UnsupportedError(
            f"{missing[0]} is not installed; install it: pip install 'runet-testbed[console,labs]'"
        )
