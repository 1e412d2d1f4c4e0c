"""`testbed lab`: teaching labs, from the start of one to the table of a class."""

import errno
import getpass
import json
import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from testbed.cli import options
from testbed.cli.labanswer import Handed, answer_of, trying_again
from testbed.cli.labserve import command as serve
from testbed.errors import Exit, InputError, UnsupportedError, nearest, printable

if TYPE_CHECKING:
    from datetime import datetime

    from testbed.labs.answers import Task
    from testbed.labs.grading import Grade
    from testbed.labs.labfile import Assignment
    from testbed.labs.sampling import SamplingResult
    from testbed.labs.workbook import EntryKind, Workbook

SELF_STUDY = "self-study"


@click.group(short_help="Teaching labs: start, check, hint, submit, grade.")
def command() -> None:
    """Labs for a class: a world whose rules you do not know, tasks about it, and a table of points."""


@command.command("list", short_help="The labs.")
def list_() -> int:
    """List the labs, with their minutes and tasks."""
    from testbed.labs.clerk import is_served
    from testbed.labs.labfile import load_lab, names

    if is_served():
        raise InputError.at("", "you are in your lab's world already", "see: testbed lab check")
    for name in names():
        lab = load_lab(name)
        tasks = lab.part.tasks
        points = sum(one.points for one in tasks.values())
        click.echo(f"{name:<24}{lab.part.title}; {lab.part.minutes} min, {len(tasks)} tasks, {points} points")
    return 0


@command.command(
    cls=options.CommandAfterDashes,
    short_help="Open the lab's world, and a shell in it.",
    epilog=options.examples(
        "testbed lab start 1",
        "testbed lab start 2 --student anna --class msu-2026",
        "testbed lab start 3 --reset",
        "testbed lab start 3 -- python3 my.py",
    ),
)
@click.argument("name")
@click.option("--student", metavar="NAME", help="Whose lab; default: your user name.")
@click.option(
    "--class", "code", default=SELF_STUDY, metavar="CODE", help="The code that your lecturer gave you."
)
@click.option("--reset", "fresh", is_flag=True, help="Empty the lab's folder first. Answers stay.")
@click.pass_context
def start(ctx: click.Context, name: str, student: str | None, code: str, *, fresh: bool) -> int:
    """Open the world of lab NAME with your own values, and a shell in it; or run a COMMAND there.

    Leave the shell as any other, and start the lab again whenever you like: your answers stay.
    """
    from testbed.labs.clerk import is_served
    from testbed.labs.labfile import assign, load_lab
    from testbed.labs.opening import alone
    from testbed.labs.workbook import Workbook

    if is_served():
        raise InputError.at("", "you are in your lab's world already", "see: testbed lab check")
    lab = load_lab(name)
    workbook = Workbook(lab.name, student or getpass.getuser(), code)
    try:
        workbook.open()
        if workbook.other_classes() and not workbook.entries():
            click.echo(
                f"you have answers to {lab.name} under another class code, too; "
                f"those to class {code!r} are kept apart from them, with other values",
                err=True,
            )
        with alone(workbook):
            return _opened(workbook, assign(lab, workbook.student, code), ctx.obj, fresh=fresh)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
            raise
        remedy = "make room there; what was answered before is kept"
        raise InputError.at(
            str(workbook.folder), f"it cannot be written: {error.strerror}", remedy
        ) from error


def _opened(workbook: "Workbook", assignment: "Assignment", words: list[str], *, fresh: bool) -> int:
    from testbed.labs.labfile import lab_variables
    from testbed.labs.opening import play

    lab = assignment.lab
    os.environ.update(lab_variables(lab))
    os.environ["TESTBED_LAB"] = workbook.identity  # for `check` inside, also beside a second lab
    if fresh:
        shutil.rmtree(workbook.desk, ignore_errors=True)
        click.echo(f"{workbook.desk} is empty again; your answers are kept")
    if not words:
        click.echo(f"{lab.part.title}. Worksheet: {lab.worksheet}\ntestbed lab check shows the tasks.")
    result = play(workbook, assignment, words, lambda line: click.echo(line, err=True))
    if not result.valid:
        click.echo("\n".join(f"the world failed: {one}" for one in result.problems), err=True)
        click.echo("your answers are kept; start the lab again", err=True)
        return Exit.INVALID
    return result.exit_status if words else 0


@command.command(
    cls=options.CommandAfterDashes,
    short_help="The tasks, and whether an answer is right.",
    epilog=options.examples(
        "testbed lab check",
        "testbed lab check hop 3",
        "testbed lab check forged --capture resets.pcap",
        "testbed lab check detector --file detector.py",
        "testbed lab check proof -- curl https://www.bbc.com/code",
    ),
)
@click.argument("task", required=False)
@click.argument("answer", required=False)
@click.option(
    "--capture", type=click.Path(path_type=Path), metavar="FILE", help="The answer is this capture."
)
@click.option("--file", type=click.Path(path_type=Path), metavar="FILE", help="The answer is this program.")
@click.option("--anyway", is_flag=True, help="Judge what was measured on a busy machine, too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def check(
    ctx: click.Context,
    task: str | None,
    answer: str | None,
    capture: Path | None,
    file: Path | None,
    *,
    anyway: bool,
    as_json: bool,
) -> int:
    """Show the tasks of the lab in work; with TASK, one of them; with an ANSWER, whether it is right.

    Some answers are evidence: a capture, a program, or the result of a COMMAND, which is run in a new world
    of the lab. Each task takes a few answers, and all of them are handed in. Exit status 1: the answer is not
    right.
    """
    from testbed.labs.clerk import ask_clerk, is_served

    handed = Handed(answer, capture, file, tuple(ctx.obj))
    outside = file or ctx.obj or is_served()
    if outside and (status := ask_clerk(sys.argv[2:], capture or file)) is not None:
        return status
    workbook, assignment = _in_work()
    if task is None:
        return _overview(workbook, assignment, as_json=as_json)
    one = _task_of(assignment, task)
    _must_be_open(workbook, assignment, one)
    if handed == Handed():
        _show_task(workbook, one)
        return 0
    return _answered(workbook, assignment, one, handed, anyway=anyway)


def _overview(workbook: "Workbook", assignment: "Assignment", *, as_json: bool) -> int:
    from testbed.labs.answers import points_of, tries_left

    rows = [(one, workbook.answers(one.name)) for one in assignment.tasks.values()]
    if as_json:
        found = {
            one.name: {
                "points": points_of(one, given),
                "most": one.points,
                "tries_left": tries_left(one, given),
            }
            for one, given in rows
        }
        click.echo(json.dumps(found, indent=2))
        return 0
    for one, given in rows:
        points = points_of(one, given)
        question = one.question if _waits_for(workbook, assignment, one) is None else f"after {one.after}"
        sign = "✓" if points else " " if tries_left(one, given) else "✗"
        click.echo(f"{sign} {one.name:<14}{points} of {one.points}   {printable(question)}")
    total = sum(points_of(one, given) for one, given in rows)
    click.echo(
        f"{total} of {sum(one.points for one, _ in rows)} points; answer with: testbed lab check TASK ANSWER"
    )
    if unreadable := workbook.unreadable():
        click.echo(f"{unreadable} lines of {workbook.folder / 'answers.jsonl'} cannot be read", err=True)
    return 0


def _show_task(workbook: "Workbook", task: "Task") -> None:
    from testbed.labs.answers import judge, shown, tries_left

    given = workbook.answers(task.name)
    click.echo(printable(task.question))
    if task.options:
        click.echo(f"one of: {', '.join(task.options)}")
    for each in given:
        click.echo(f"  {printable(shown(task, each))}: {judge(task, each).words}")
    click.echo(f"{tries_left(task, given)} tries left")


def _answered(
    workbook: "Workbook", assignment: "Assignment", task: "Task", handed: Handed, *, anyway: bool
) -> int:
    from testbed.labs.answers import judge, points_of, tries_left
    from testbed.labs.calm import restless

    given = workbook.answers(task.name)
    if points_of(task, given):
        click.echo("answered already, and rightly")
        return 0
    if not tries_left(task, given):
        click.echo("no tries are left for this task", err=True)
        return Exit.UNEXPECTED
    if task.timed and not anyway and (why := restless()):
        click.echo(
            f"this machine is too busy to measure that: {why}, and what is slow then may be its own doing. "
            "Measure again later, or add --anyway; it did not count",
            err=True,
        )
        return Exit.UNEXPECTED
    answer = answer_of(workbook, assignment, task, handed)
    judged = judge(task, answer)
    if judged.counts:
        _kept(workbook, "answer", task.name, answer.strip())
    left = tries_left(task, workbook.answers(task.name))
    more = "" if judged.right else f"; {left} {'try' if left == 1 else 'tries'} left"
    click.echo(f"{'✓' if judged.right else '✗'} {printable(judged.words)}{more}")
    return Exit.OK if judged.right else Exit.UNEXPECTED


@command.command(
    short_help="Sample a lab's story, as an observatory.",
    epilog=options.examples(
        "testbed lab watch --every '6 h'",
        "testbed lab watch --every '1 h' --from '2022-03-01 06:00' --until '2022-03-01 12:00' --vantage mts",
    ),
)
@click.option("--every", metavar="TIME", required=True, help="The interval, of the story's clock: '6 h'.")
@options.from_option
@options.until_option
@options.vantage_option
def watch(every: str, begin: "datetime | None", until: "datetime | None", vantages: tuple[str, ...]) -> int:
    """Measure every target from every operator at intervals of the lab's story, and write what was seen.

    The samples come into the lab's folder. A lab says how many instants there are in all; each is taken once.
    """
    from testbed.labs.clerk import ask_clerk

    if (status := ask_clerk(sys.argv[2:])) is not None:
        return status
    from testbed.cli.monitor import interval
    from testbed.labs.sampling import Sampling, sample

    workbook, assignment = _in_work()
    most = assignment.lab.part.samples
    if not most:
        raise InputError.at(
            "", f"{workbook.lab} has no story to sample", "lab 5 has one: testbed lab start 5"
        )
    left = most - len(workbook.sampled())
    asked = Sampling(interval(every, "--every"), begin, until, vantages)
    found = sample(assignment, asked, left, lambda time: click.echo(f"sampled {time}", err=True))
    if found.watched.problems and not found.samples:
        click.echo(f"nothing was sampled, and nothing is used up: {found.watched.problems[0]}", err=True)
        return Exit.INVALID
    _kept(workbook, "sampled", "", " ".join(f"{hour:.4f}" for hour in found.hours))
    for time in dict.fromkeys(one.time for one in found.samples):
        click.echo(found.line(time))
    left = most - len(workbook.sampled())
    click.echo(f"{left} of {most} instants left; written: {', '.join(_written(workbook, found))}")
    return 0


def _written(workbook: "Workbook", found: "SamplingResult") -> list[str]:
    from testbed.report.historyplot import picture

    folder = workbook.desk
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    number = 1 + len(list(folder.glob("samples-*.csv")))
    paths = [folder / f"samples-{number}.csv"]
    paths[0].write_text(found.table(), "utf-8")
    with suppress(UnsupportedError):  # without matplotlib there is no picture
        drawn = picture(found.watched, found.watched.story.scenario.title)
        paths.append(folder / f"samples-{number}.svg")
        paths[1].write_text(drawn, "utf-8")
    return [str(path) for path in paths]


def _kept(workbook: "Workbook", what: "EntryKind", task: str, text: str) -> None:
    try:
        workbook.add(what, task, text)
    except OSError as error:
        remedy = "make room; it did not count"
        raise InputError.at(str(workbook.folder), f"this cannot be kept: {error.strerror}", remedy) from error


@command.command(short_help="A hint for a task.")
@click.argument("task")
def hint(task: str) -> int:
    """Show the next hint for TASK. The lecturer sees how many you took; they cost nothing."""
    if (status := _served()) is not None:
        return status
    workbook, assignment = _in_work()
    one = _task_of(assignment, task)
    _must_be_open(workbook, assignment, one)
    taken = workbook.hints(one.name)
    if taken < len(one.hints):
        _kept(workbook, "hint", one.name, "")
    for text in one.hints[: taken + 1]:
        click.echo(printable(text))
    if taken + 1 >= len(one.hints):
        click.echo("there are no more hints" if one.hints else "there is no hint")
    return 0


@command.command(short_help="Write the file that you hand in.")
@click.argument("file", required=False, type=click.Path(path_type=Path))
def submit(file: Path | None) -> int:
    """Write FILE (default: LAB-STUDENT.lab): your answers, signed. Submit as often as you like."""
    if (status := _served()) is not None:
        return status
    from testbed.labs.submission import SUFFIX
    from testbed.labs.submission import submit as write

    workbook, assignment = _in_work()
    path = file or Path(f"{workbook.lab}-{workbook.student}{SUFFIX}")
    try:
        write(workbook, assignment.lab, path)
    except OSError as error:
        raise InputError.at(
            str(path), f"it cannot be written: {error.strerror}", "name another place"
        ) from error
    click.echo(f"wrote {path}: hand it in as it is")
    return 0


@command.command(
    short_help="The table of a class.",
    epilog=options.examples(
        "testbed lab grade handed-in",
        "testbed lab grade handed-in --class msu-2026 --csv points.csv --html points.html",
    ),
)
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--class", "code", metavar="CODE", help="The class's code; default: as each file says.")
@click.option(
    "--csv", "csv_file", type=click.Path(path_type=Path), metavar="FILE", help="Also write a CSV file."
)
@click.option(
    "--html", "html_file", type=click.Path(path_type=Path), metavar="FILE", help="Also write a page."
)
@click.option(
    "--seed", metavar="TEXT", help="Draws the worlds in which detectors are tried; default: new ones."
)
@click.option("--no-worlds", is_flag=True, help="Try no detector again; who handed one in is remarked.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def grade(
    folder: Path,
    code: str | None,
    csv_file: Path | None,
    html_file: Path | None,
    seed: str | None,
    *,
    no_worlds: bool,
    as_json: bool,
) -> int:
    """Judge every submission under FOLDER: points by task, hints, and what to look at.

    Each student's values are drawn again, and each answer is judged again; detectors run in new worlds. Exit
    status 1: a file is damaged.
    """
    from testbed.labs import grading, joining
    from testbed.labs.labfile import load_lab
    from testbed.labs.workbook import must_be_code

    if code is not None:
        must_be_code(code)
    submissions, problems = joining.read_folder(folder)
    labs = sorted({one.lab for one in submissions})
    again = None if no_worlds else trying_again(seed)
    grades = [one for name in labs for one in grading.grade(submissions, load_lab(name), code, again)]
    if csv_file:
        csv_file.write_text(grading.as_csv(grades), "utf-8")
    if html_file:
        from testbed.report.gradepage import grade_page

        html_file.write_text(grade_page(grades, problems), "utf-8")
    if as_json:
        click.echo(json.dumps(grading.as_json(grades), indent=2, ensure_ascii=False))
    else:
        _show_grades(grades)
    for one in problems:
        click.echo(printable(one), err=True)
    if others := joining.passed_over(folder):
        shown = ", ".join(str(path.relative_to(folder)) for path in others[:10])
        more = f" and {len(others) - 10} more" if len(others) > 10 else ""
        click.echo(printable(f"no submissions, and passed over: {shown}{more}"), err=True)
    if not grades and not problems:
        raise InputError.at(
            str(folder), "there is no submission in it", "students write them: testbed lab submit"
        )
    return Exit.UNEXPECTED if problems else Exit.OK


def _show_grades(grades: "list[Grade]") -> None:
    for one in grades:
        tasks = ", ".join(f"{each.task} {each.points}/{each.most}" for each in one.tasks)
        click.echo(printable(f"{one.student:<16}{one.lab:<22}{one.points:>3} of {one.most}   {tasks}"))
        for remark in one.remarks:
            click.echo(printable(f"{'':<16}! {remark}"))


def _served() -> int | None:
    """In a shell of a class's server, what was asked is done outside: its exit status."""
    from testbed.labs.clerk import ask_clerk, is_served

    return ask_clerk(sys.argv[2:]) if is_served() else None


def _in_work() -> "tuple[Workbook, Assignment]":
    from testbed.labs.labfile import assign, load_lab
    from testbed.labs.workbook import last

    workbook = last()
    if workbook is None:
        raise InputError.at("", "no lab is in work", "start one: testbed lab start NAME")
    return workbook, assign(load_lab(workbook.lab), workbook.student, workbook.code)


def _waits_for(workbook: "Workbook", assignment: "Assignment", task: "Task") -> "Task | None":
    """The task that must be done with before this one is shown."""
    from testbed.labs.answers import is_done

    before = assignment.tasks.get(task.after)
    return before if before and not is_done(before, workbook.answers(before.name)) else None


def _must_be_open(workbook: "Workbook", assignment: "Assignment", task: "Task") -> None:
    if before := _waits_for(workbook, assignment, task):
        raise InputError.at(
            "TASK",
            f"{task.name} comes after {before.name}",
            f"answer that first: testbed lab check {before.name}",
        )


def _task_of(assignment: "Assignment", name: str) -> "Task":
    if name not in assignment.tasks:
        raise InputError.at("TASK", f"there is no task {name[:80]!r}", nearest(name, assignment.tasks))
    return assignment.tasks[name]


command.add_command(serve)
