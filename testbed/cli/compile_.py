"""`testbed compile`: the core as machine code."""

import time

import click


@click.command(short_help="Compile the core, which then takes half the time.")
@click.option("--remove", is_flag=True, help="Remove what has been compiled.")
def command(*, remove: bool) -> None:
    """Compile the core of the censors by mypyc, once for this version and this Python.

    It decides the same and takes half the time. Everything works without it. It is used from the next start
    on, until the core's source changes. TESTBED_COMPILED=0 leaves it out; a folder there is where it is kept.
    Needs the extra 'fast' and a C compiler.
    """
    from testbed.compiled.compiling import compile_core, remove_core
    from testbed.compiled.find import MODULES, in_use

    if remove:
        click.echo("removed" if remove_core() else "there was none")
        return
    before, began = in_use(), time.monotonic()
    place = compile_core()
    when = "are compiled already" if before else f"compiled in {time.monotonic() - began:.0f} s"
    click.echo(f"{len(MODULES)} modules of the core {when}: {place}")
