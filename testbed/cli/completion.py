"""`testbed completion SHELL`: print the script that a shell evaluates to complete our commands."""

import click
from click.shell_completion import get_completion_class

from testbed.cli.options import examples

SHELLS = ("bash", "zsh", "fish")


@click.command(
    short_help="Print the completion script for a shell.",
    epilog=examples(
        "bash:  testbed completion bash > ~/.local/share/bash-completion/completions/testbed",
        "zsh:   testbed completion zsh > a folder of $fpath, as _testbed",
        "fish:  testbed completion fish > ~/.config/fish/completions/testbed.fish",
    ),
)
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the completion script for SHELL."""
    kind = get_completion_class(shell)
    if kind is None:  # pragma: no cover - click ships all three
        raise click.UsageError(f"click has no completion for {shell}")
    root = ctx.find_root().command
    click.echo(kind(root, {}, "testbed", "_TESTBED_COMPLETE").source())
