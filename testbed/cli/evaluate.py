"""`testbed evaluate`: run a detector everywhere, several times, and score it."""

import os
from pathlib import Path

import click

from testbed.cli import options


@click.command(
    short_help="Run a detector over scenarios and score it.",
    epilog=options.examples(
        "testbed evaluate --detector probe",
        "testbed evaluate --detector curl --scenarios free-network,linkedin-ban-2016 --repeats 3",
        "testbed evaluate --detector './mycheck --json {target}' --adapter plain --out mine",
    ),
)
@click.option(
    "--detector", required=True, metavar="WHAT",
    help="probe, an adapter with a command of its own (curl), or a command line with {target} or {host}.",
)  # fmt: skip
@click.option("--adapter", metavar="NAME", help="How its output is read; default for a command: exit-status.")
@click.option("--scenarios", metavar="A,B", help="Names or files; default: the whole library.")
@click.option("--repeats", type=click.IntRange(1, 1000), default=1, show_default=True, help="Of each trial.")
@click.option("--jobs", type=click.IntRange(1, 64), help="Worlds at once, at most; default: one a processor.")
@click.option("--limit", type=click.FloatRange(0.5, 3600), default=60.0, show_default=True,
              help="Seconds for one run of the detector.")  # fmt: skip
@click.option("--stop", metavar="REGEX", default="", help="Output after which it has said everything.")
@click.option("--tty", is_flag=True, help="Give it a terminal.")
@click.option(
    "--client", metavar="SHAPE", help="What its first packets look like, for the score: chrome, go, …"
)
@click.option("--env", multiple=True, metavar="NAME[=VALUE]", help="Of its environment. Repeatable.")
@options.closer_option
@options.serve_option
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the order.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False),
              help="Folder; with one that was begun, the evaluation goes on.")  # fmt: skip
@options.threshold_options
@options.score_output_options
def command(
    detector: str,
    adapter: str | None,
    scenarios: str | None,
    repeats: int,
    jobs: int | None,
    limit: float,
    stop: str,
    client: str | None,
    env: tuple[str, ...],
    closer: str,
    serve: tuple[str, ...],
    seed: int,
    out: Path | None,
    recall: float,
    false_positives: float,
    inconclusive: float | None,
    junit: Path | None,
    markdown: Path | None,
    *,
    tty: bool,
    as_json: bool,
) -> int:
    """Run a detector at every target of every phase from every vantage, and score what it said.

    Every trial is recorded as soon as it is made: after an interruption the same command with the same --out
    goes on. Exit status: 0 if the thresholds are reached, 1 if not, 3 if the laboratory spoiled more than a
    tenth of the trials.
    """
    from testbed.detectors.score import Thresholds, score
    from testbed.evaluation.conduct import Evaluation
    from testbed.evaluation.spec import EvaluationSpec, detector_of, regex_of
    from testbed.report.progress import Progress
    from testbed.report.scoring import publish, require_outputs
    from testbed.scenario import library
    from testbed.shapes.known import shape_of

    require_outputs(junit, markdown)
    words, reader = detector_of(detector, adapter)
    spec = EvaluationSpec(
        detector=detector,
        adapter=reader.name,
        command=words,
        scenarios=tuple(scenarios.split(",")) if scenarios else tuple(library.names()),
        repeats=repeats,
        seed=seed,
        limit=limit,
        stop=regex_of(stop),
        tty=tty,
        client=shape_of(client).key if client else reader.client,
        env=env,
        serve=serve,
        instruments=options.closer(closer),
    )
    evaluation = Evaluation.open(spec, out)
    with Progress(evaluation.folder) as progress:
        evaluation.run(jobs or os.cpu_count() or 1, progress.tell)
    trials = evaluation.trials()
    found = score(detector, trials, reader)
    limits = Thresholds(recall, false_positives, inconclusive)
    return publish(found, trials, limits, as_json=as_json, junit=junit, markdown=markdown)
