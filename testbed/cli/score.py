"""`testbed score`: how often a detector was right."""

from pathlib import Path

import click

from testbed.cli import options


@click.command(
    short_help="How often a detector was right.",
    epilog=options.examples(
        "testbed score --run block",
        "testbed score output.json --adapter curl --run runs/free-network-20261126-050000",
        "testbed score evaluations/probe --markdown summary.md",
    ),
)
@click.argument("results", required=False, type=click.Path(path_type=Path, exists=True, allow_dash=True))
@click.option(
    "--run",
    "run_folder",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Run folder in which the detector ran; without RESULTS, the built-in probe is scored.",
)
@click.option(
    "--truth",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Truth file instead of a run folder.",
)
@click.option("--adapter", "name", metavar="NAME", help="Which tool RESULTS are from: docs/adapters.md.")
@click.option("--vantage", metavar="VANTAGE", help="With --truth: where the tool ran.")
@click.option("--phase", metavar="PHASE", help="With --truth: when.")
@click.option("--detector", metavar="WHAT", help="Of a sweep with several: which one.")
@click.option("--scenario", metavar="NAME", help="Of the run: its file, if it is no longer where it was.")
@options.threshold_options
@options.score_output_options
def command(
    results: Path | None,
    run_folder: Path | None,
    truth: Path | None,
    name: str | None,
    vantage: str | None,
    phase: str | None,
    detector: str | None,
    scenario: str | None,
    recall: float,
    false_positives: float,
    inconclusive: float | None,
    junit: Path | None,
    markdown: Path | None,
    *,
    as_json: bool,
) -> int:
    """Score RESULTS: a tool's output (- is standard input), or the folder of an evaluation or a sweep.

    Exit status: 0 if the thresholds are reached, 1 if not, 2 for input that cannot be used, 3 if the
    laboratory spoiled more than a tenth of the trials.
    """
    from testbed.detectors import recorded
    from testbed.detectors.adapter import ToolOutput, adapter
    from testbed.detectors.score import Thresholds, score
    from testbed.report.scoring import publish, require_outputs, score_sweep
    from testbed.sweep.sweepfolder import is_sweep

    require_outputs(junit, markdown)
    limits = Thresholds(recall, false_positives, inconclusive)
    if results is not None and results.is_dir() and is_sweep(results):
        return score_sweep(results, detector, limits, as_json=as_json, junit=junit, markdown=markdown)
    if results is not None and results.is_dir():
        tried, known, trials = recorded.of_evaluation(results, adapter(name) if name else None)
        shown = f"{tried}, read by {known}" if name else tried
        found = score(shown, trials, adapter(known))
    else:
        if (run_folder is None) is (truth is None):
            raise click.UsageError("give the folder of an evaluation, or RESULTS with --run or with --truth")
        if (results is None) is not (name is None) or (results is None and truth is not None):
            raise click.UsageError("RESULTS need --adapter NAME, and --adapter needs RESULTS")
        reader = adapter(name or "probe")
        output = ToolOutput(_text(results)) if results is not None else None
        if run_folder is not None:
            trials, complaints = recorded.of_run(run_folder, reader, output, scenario)
        else:
            assert truth is not None and output is not None  # noqa: PT018
            trials, complaints = recorded.of_truth(truth, reader, output, vantage, phase)
        found = score(reader.name, trials, reader, complaints)
    return publish(found, trials, limits, as_json=as_json, junit=junit, markdown=markdown)


def _text(results: Path) -> str:
    with click.open_file(str(results), "r", "utf-8", "replace") as file:
        return str(file.read())
