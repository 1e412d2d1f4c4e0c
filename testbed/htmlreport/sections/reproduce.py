"""How to make all of it again: commands, seeds, versions, and the files by their digests."""

import shlex
from collections.abc import Iterator
from typing import Final

from testbed.htmlreport.blocks import DataGrid, Folded, GridRow, PageBlock, PageSection, Statement, Subheading
from testbed.htmlreport.facts import EvaluationFacts, MatrixFacts, MonitorFacts, ReportFacts, RunFacts, Values

TIMEOUT: Final = 4.0  # of `testbed run`, seconds: its default
_SINGLE: Final = tuple(
    (f"--{name}", field)
    for name, field in (
        ("speed", "speed"), ("from", "begin"), ("until", "until"), ("model", "model"),
        ("timeout", "timeout"), ("image", "image"), ("authority", "authority"),
    )
)  # fmt: skip


def section(facts: ReportFacts) -> PageSection:
    """A command for each thing on the page, then what it was made with."""
    lines = [
        *map(run_command, facts.runs),
        *(_evaluate(one) for one in facts.evaluations if one.plan),
        *map(_monitor, facts.monitors),
        *map(_matrix, facts.matrices),
        f"testbed report {shlex.join(facts.asked)} -o report.html",
    ]
    blocks: list[PageBlock] = [
        Statement("\n".join(dict.fromkeys(lines)), code=True),
        Statement(
            "The same seed gives the same choices of the censors; times and ports differ from run to run."
        ),
    ]
    if facts.runs:
        blocks += [Subheading("Runs"), *_made_with(facts.runs), _runs(facts.runs)]
        if files := _files(facts.runs):
            blocks.append(Folded("Scenario files, by SHA-256", (files,)))
    return PageSection("reproduce", "Make it again", tuple(blocks))


def run_command(run: RunFacts) -> str:
    """The command that makes this run, as far as its folder says."""
    asked = run.asked
    words = [
        "testbed",
        "run",
        *(_list(asked.get("timeline")) or [str(asked.get("scenario") or run.scenario)]),
    ]
    words += ["--timeline"] if run.timeline else ["--phase", run.phase]
    operators = {one.key for one in run.operators}
    named = [one for one in run.vantages if one in operators]
    if run.command or set(named) != operators:
        words += [word for one in run.vantages for word in ("--vantage", one)]
    words += ["--seed", str(run.seed)] if run.seed is not None else []
    words += ["--time-scale", f"{run.time_scale:g}"] if run.time_scale != 1 else []
    words += ["--capture"] if run.captured else []
    words += [*_options(asked)]
    words += ["--", *run.command] if run.command else []
    return shlex.join(words)


def _options(asked: Values) -> Iterator[str]:
    """What job.json has besides: those that are not as they are by themselves."""
    for option, name in _SINGLE:
        value = asked.get(name)
        if value and (name, value) != ("timeout", TIMEOUT):
            yield from (option, f"{value:g}" if isinstance(value, float) else str(value))
    if instruments := _list(asked.get("instruments")):
        yield from ("--with", ",".join(instruments))
    for option, name in (("--serve", "serve"), ("--volume", "volumes"), ("--env", "variables")):
        yield from (word for value in _list(asked.get(name)) for word in (option, value))
    yield from (option for option, name in (("--circumvention", "circumvention"), ("--keys", "keys"))
                if asked.get(name))  # fmt: skip
    if asked.get("ipv") == 6:
        yield "-6"


def _evaluate(one: EvaluationFacts) -> str:
    plan = one.plan
    if "sweep" in plan:
        core = ["--core"] if plan.get("core") else []
        return shlex.join(["testbed", "sweep", f"{one.folder}/sweep.yaml", *core, "--out", "swept"])
    words = ["testbed", "evaluate", "--detector", one.detector]
    if plan.get("command"):
        words += ["--adapter", one.adapter]
        words += ["--client", str(plan["client"])] if plan.get("client") else []
    words += ["--scenarios", ",".join(_list(plan.get("scenarios")))] if plan.get("scenarios") else []
    for name in ("repeats", "seed", "limit"):
        if plan.get(name) is not None:
            words += [f"--{name}", f"{plan[name]:g}" if isinstance(plan[name], float) else str(plan[name])]
    words += ["--stop", str(plan["stop"])] if plan.get("stop") else []
    words += ["--tty"] if plan.get("tty") else []
    words += ["--with", ",".join(_list(plan.get("instruments")))] if plan.get("instruments") else []
    for name in ("env", "serve"):
        words += [word for value in _list(plan.get(name)) for word in (f"--{name}", value)]
    return shlex.join(words)


def _monitor(one: MonitorFacts) -> str:
    settings = one.settings
    words = ["testbed", "monitor", *_list(settings.get("scenarios")), "--every", f"{one.every:g} s"]
    for option, name in (("--vantage", "vantages"), ("--target", "targets")):
        words += [word for value in _list(settings.get(name)) for word in (option, value)]
    words += ["--detector", str(settings["detector"])] if settings.get("detector") else []
    words += ["--seed", str(settings["seed"])] if settings.get("seed") is not None else []
    words += ["--from", str(settings["begin"])] if settings.get("begin") else []
    words += ["--until", str(settings["until"])] if settings.get("until") else []
    return shlex.join(words + (["-6"] if settings.get("ipv") == 6 else []))


def _matrix(one: MatrixFacts) -> str:
    core = ["--core"] if one.how == "core" else []
    return shlex.join(["testbed", "matrix", *core, *one.tools, "--against", ",".join(one.boxes), "--json"])


def _runs(runs: tuple[RunFacts, ...]) -> DataGrid:
    rows: list[GridRow] = [
        (run.name, str(run.seed), run.started, f"{run.seconds:.1f}" if run.seconds else "", run.folder)
        for run in runs
    ]
    head = ("run", "seed", "started", "seconds", "folder")
    return DataGrid("Runs, with their seeds", head, tuple(rows), frozenset({1, 3}))


def _made_with(runs: tuple[RunFacts, ...]) -> list[Statement]:
    """What made the runs; several sentences if it was not the same for all."""
    found = dict.fromkeys(tuple(run.versions.items()) for run in runs)
    return [
        Statement(f"Made with {', '.join(f'{name} {version}' for name, version in versions)}.")
        for versions in found
        if versions
    ]


def _files(runs: tuple[RunFacts, ...]) -> DataGrid | None:
    known = sorted({(name, digest) for run in runs for name, digest in run.files.items()})
    return DataGrid("Scenario files", ("file", "SHA-256"), tuple(known)) if known else None


def _list(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []
