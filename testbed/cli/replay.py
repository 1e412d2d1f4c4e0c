"""`testbed replay`: what a censor would do to the packets of a capture."""

from pathlib import Path

import click

from testbed.cli.options import examples


@click.command(
    short_help="What a censor would do to the packets of a capture.",
    epilog=examples(
        "testbed replay home.pcapng --profile t22 --rules rules.yaml",
        "testbed replay home.pcapng --rules twitter-throttling-2021 --censor tspu-exact --out censored.pcapng",  # noqa: E501
    ),
)
@click.argument("capture", metavar="CAPTURE")
@click.option(
    "--rules", required=True, metavar="FILE", help="A file with 'rules:', or a scenario by file or name."
)
@click.option("--profile", metavar="P", help="Profile of the box; default: the one in the rules file.")
@click.option("--model", metavar="KEY", help="Inspector model; default: the rules' or the profile's.")
@click.option("--censor", metavar="NAME", help="Which censor of the scenario.")
@click.option("--operator", metavar="KEY", help="Operator substituted for 'operator' in rules.")
@click.option(
    "--inside", multiple=True, metavar="PREFIX", help="The subscribers' side. Repeatable; default: inferred."
)
@click.option("--interface", default="", metavar="NAME", help="Of pcapng: the packets of this one alone.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="For random draws.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Stop after N packets.")
@click.option(
    "--mtu",
    type=click.IntRange(576, 65535),
    default=1500,
    show_default=True,
    metavar="BYTES",
    help="Largest IP packet of the wire. 65535: judge the packets as they were captured.",
)
@click.option("--all", "every", is_flag=True, help="Print a line for every packet.")
@click.option(
    "--summary", "flows", is_flag=True, help="One line per affected flow instead of one per packet."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line, a summary last.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="CAPTURE2",
    help="Write the capture as it would have been with the censor (pcapng).",
)
def command(
    capture: str,
    rules: str,
    profile: str | None,
    model: str | None,
    censor: str | None,
    operator: str | None,
    inside: tuple[str, ...],
    interface: str,
    seed: int,
    limit: int | None,
    mtu: int,
    out: Path | None,
    *,
    every: bool,
    flows: bool,
    as_json: bool,
) -> int:
    """Run the packets of CAPTURE through a censor, without a network.

    CAPTURE is a pcap or pcapng file, gzipped or not; - is standard input.

    The same core decides as in a live run. Nothing is sent. The censor sees what was captured: a client that
    would have given up after a reset continues here.

    What a network card's offloads merged is cut to the size of the wire first.

    Exit status: 0; 2 for wrong input, including a truncated capture; 5 if nothing in it could be judged.
    """
    from testbed.replay.command import ReplayOptions, replay
    from testbed.replay.policyfile import PolicyChoice, load_policy
    from testbed.replay.sides import sides_from_prefixes

    choice = PolicyChoice(rules, profile, censor, operator, model)
    options = ReplayOptions(
        capture,
        load_policy(choice, lambda line: click.echo(line, err=True)),
        interface=interface,
        seed=seed,
        sides=sides_from_prefixes(inside) if inside else None,
        limit=limit,
        largest=mtu,
        out=out,
        every=every,
        flows=flows,
        as_json=as_json,
    )
    replay(options, click.echo)
    return 0
