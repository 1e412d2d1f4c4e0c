"""What `score` and `evaluate` do at their end: print the score, write its files, choose the exit status."""

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from testbed.detectors.score import Score, Thresholds, score
from testbed.detectors.trials import Trial
from testbed.errors import Exit, InputError, nearest
from testbed.report import junit as xml
from testbed.report import scores
from testbed.report.outputfile import require_writable, write_text
from testbed.sweep.sweptresults import SweepResults


def require_outputs(junit: Path | None, markdown: Path | None) -> None:
    """InputError unless the files can be written, before anything that may take long."""
    given = {"--junit": junit, "--markdown": markdown}
    require_writable({option: path for option, path in given.items() if path is not None})


def publish(
    found: Score,
    trials: Sequence[Trial],
    limits: Thresholds,
    *,
    as_json: bool,
    junit: Path | None = None,
    markdown: Path | None = None,
) -> int:
    """Print it, write the files; the exit status."""
    status = exit_status(found, limits)
    if as_json:
        document = found.to_json() | {"exit_status": status, "failures": found.failures(limits)}
        print(json.dumps(document, indent=1, ensure_ascii=False))
    else:
        scores.show(found, limits)
    if junit is not None:
        write_text(junit, document_of(found, trials, limits), "--junit")
    if markdown is not None:
        write_text(markdown, scores.markdown(found, limits), "--markdown")
    return status


def score_sweep(
    folder: Path,
    detector: str | None,
    limits: Thresholds,
    *,
    as_json: bool,
    junit: Path | None = None,
    markdown: Path | None = None,
) -> int:
    """The score of a sweep's detector, or of each of them, one after another; the most serious exit status.

    Errors: InputError for a detector that is not in it, and for files of several at once.
    """
    results = SweepResults.read(folder)
    for sentence in results.missing:
        print(f"missing: {sentence}", file=sys.stderr)
    if detector is not None and detector not in results.detectors:
        raise InputError.at(
            "--detector", f"{folder} has no {detector!r}", nearest(detector, results.detectors)
        )
    chosen = [detector] if detector is not None else list(results.detectors)
    if not chosen:
        raise InputError.at(str(folder), "no trial of a detector is in it", "see: testbed report")
    if len(chosen) > 1 and (as_json or junit or markdown):
        remedy = f"--detector: {', '.join(chosen)}"
        raise InputError.at(str(folder), "it has several detectors, and a file is of one", remedy)
    statuses = []
    for name in chosen:
        reader, trials = results.detectors[name]
        found = score(name, trials, reader)
        statuses.append(publish(found, trials, limits, as_json=as_json, junit=junit, markdown=markdown))
    return max(statuses)


def exit_status(found: Score, limits: Thresholds) -> int:
    """0 if the thresholds are reached, 3 if the laboratory spoiled too many trials, else 1."""
    if found.unsound:
        return Exit.INVALID
    return Exit.UNEXPECTED if found.failures(limits) else Exit.OK


def document_of(found: Score, trials: Sequence[Trial], limits: Thresholds) -> str:
    """JUnit XML: a suite of thresholds, and one for each scenario and phase with a case for each trial."""
    wrong = {id(trial): standing for standing, trial in found.worst}
    root = Element("testsuites")
    suite = SubElement(root, "testsuite", name=found.detector)
    case = SubElement(suite, "testcase", classname=found.detector, name="the thresholds are reached")
    if failures := found.failures(limits):
        xml.note(case, "failure", "; ".join(failures))
    suites: dict[str, Element] = {}
    for trial in trials:
        name = f"{trial.scenario}/{trial.phase}"
        if name not in suites:
            suites[name] = SubElement(root, "testsuite", name=name)
        repeat = f" (repeat {trial.repeat})" if trial.repeat > 1 else ""
        case = SubElement(
            suites[name], "testcase", classname=f"{name.replace('/', '.')}.{trial.vantage}",
            name=xml.legal(trial.target + repeat), time=f"{trial.seconds:.3f}",
        )  # fmt: skip
        _standing(case, wrong.get(id(trial), ""), trial)
    for one in root:
        one.set("timestamp", time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()))
        one.set("tests", str(len(one.findall("testcase"))))
        for kind, attribute in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
            one.set(attribute, str(sum(case.find(kind) is not None for case in one)))
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, "unicode") + "\n"


def _standing(case: Element, standing: str, trial: Trial) -> None:
    """A wrong answer is a failure, no answer an error, and what is not counted is skipped."""
    said = f"said {trial.verdict.said} ({trial.verdict.words})" if trial.verdict else "said nothing"
    by = f" by {trial.by}" if trial.by else ""
    message = f"{standing}: true is {trial.outcome}{by}, {said}"
    if standing in ("miss", "false alarm"):
        xml.note(case, "failure", message)
    elif standing in ("not met", "another rule", "lab-error", "inconclusive"):
        xml.note(case, "skipped", f"{message}; {trial.lab_error}" if trial.lab_error else message)
    elif standing:
        xml.note(case, "error", f"{message}; {trial.note}" if trial.note else message)
