"""`testbed` in odd surroundings: closed streams, a full disk, few resources, other people's modules."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from testbed.cli import main
from testbed.cli.start import LEAST_OPEN_FILES

PROGRAM = [sys.executable, "-P", "-c", "from testbed.cli.start import main; main()"]


def run(*args: str, **more):
    command = [*PROGRAM, *args]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **more)


def shell(line: str, *args: str):
    """The command line as "$@" of a shell line."""
    command = ["sh", "-c", line, "sh", *PROGRAM, *args]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("line", "out", "status"),
    [
        ('"$@" >&-', "", 0),
        ('"$@" 2>&-', "testbed", 0),
        ('"$@" <&-', "testbed", 0),
        ('"$@" >&- 2>&- <&-', "", 0),
    ],
    ids=["stdout", "stderr", "stdin", "all"],
)
def test_closed_streams(line, out, status):
    done = shell(line, "--version")
    assert (done.returncode, done.stderr) == (status, "")
    assert out in done.stdout


def test_no_file_becomes_a_closed_stream(tmp_path: Path):
    """What is printed to a closed stream goes nowhere, not into the first file that was opened."""
    schema = tmp_path / "x.yaml"
    schema.write_text("title: x\n")
    shell('"$@" >&- 2>&-', "check", str(schema))
    assert schema.read_text() == "title: x\n"


@pytest.mark.parametrize("args", [["list"], ["list", "--json"], ["check", "--schema"], ["doctor", "--help"]])
def test_a_full_disk_at_standard_output(args):
    done = shell('"$@" >/dev/full', *args)
    assert done.returncode == 3
    assert done.stderr == (
        "testbed: No space left on device at standard output; make room there, or name another folder\n"
    )


def test_a_module_of_the_users_own_does_not_replace_ours(tmp_path: Path):
    for name in ("click", "pydantic", "random", "yaml", "rich"):
        (tmp_path / f"{name}.py").write_text(f"raise RuntimeError('not the {name} that you meant')\n")
    done = run("list", env=os.environ | {"PYTHONPATH": str(tmp_path)})
    assert (done.returncode, done.stderr) == (0, "")


def test_pythonpath_is_still_looked_in(tmp_path: Path):
    (tmp_path / "helper_of_mine.py").write_text("NUMBER = 7\n")
    code = """
from testbed.cli.start import main
try:
    main()
except SystemExit:
    import helper_of_mine
    print(helper_of_mine.NUMBER)
"""
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, "--version"],
        capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert done.stdout.split()[-1] == "7"


def limited(kind: int, most: int):
    return lambda: resource.setrlimit(kind, (most, most))


@pytest.mark.parametrize("most", [8, 30, LEAST_OPEN_FILES - 1])
def test_few_open_files(most):
    done = run("list", preexec_fn=limited(resource.RLIMIT_NOFILE, most))
    assert done.returncode == 4
    assert done.stderr.startswith(f"testbed: only {most} open files are allowed here (ulimit -n); it ")


def test_just_enough_open_files():
    assert run("list", preexec_fn=limited(resource.RLIMIT_NOFILE, LEAST_OPEN_FILES)).returncode == 0


@pytest.mark.world
def test_too_few_open_files_for_a_world(tmp_path: Path):
    few = limited(resource.RLIMIT_NOFILE, 100)
    done = run("run", "free-network", "--vantage", "mts", "--", "true", preexec_fn=few, cwd=tmp_path)
    assert done.returncode == 4
    assert done.stderr.startswith("testbed: only 100 open files are allowed here (ulimit -n); a world needs")


@pytest.mark.parametrize("error", [MemoryError(), SystemError("NULL without exception set")])
def test_memory_that_runs_out_in_c_code(error, monkeypatch, capsys):
    def fail(*_):
        raise error

    monkeypatch.setattr(main.testbed, "make_context", fail)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (40_000 << 10, 40_000 << 10))
    assert main._status(["list"]) == 4
    assert capsys.readouterr().err.startswith("testbed: out of memory; raise the limit")


def test_memory_that_is_not_even_enough_to_say_so(monkeypatch, capfd):
    def fail(*_):
        raise SystemError("error return without exception set")

    ended = []
    monkeypatch.setattr(main, "_status", fail)
    monkeypatch.setattr(os, "_exit", lambda status: ended.append(status) or sys.exit(status))
    monkeypatch.setattr(resource, "getrlimit", lambda _: (40_000 << 10, 40_000 << 10))
    with pytest.raises(SystemExit):
        main.main(["list"])
    assert ended == [4]
    assert capfd.readouterr().err.startswith("testbed: out of memory; raise the limit")


def test_without_a_limit_it_is_a_bug(monkeypatch, capsys):
    def fail(*_):
        raise SystemError("NULL without exception set")

    monkeypatch.setattr(main.testbed, "make_context", fail)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY,) * 2)
    assert main._status(["list"]) == 3
    assert "this is a bug in testbed" in capsys.readouterr().err


def test_little_memory():
    done = run("list", preexec_fn=limited(resource.RLIMIT_AS, 40_000 << 10))
    assert done.returncode == 4
    assert done.stderr == "testbed: out of memory; raise the limit (ulimit -v), or use a machine with more\n"


@pytest.mark.parametrize("folder", ["loop", "loop/below"])
def test_links_that_lead_to_each_other(tmp_path: Path, folder: str):
    (tmp_path / "loop").symlink_to("other")
    (tmp_path / "other").symlink_to("loop")
    done = run("run", "free-network", "--out", folder, "--", "true", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("testbed: --out: loop")
    assert "Traceback" not in done.stderr


def test_files_that_are_links_to_each_other(tmp_path: Path):
    (tmp_path / "x.yaml").symlink_to("y.yaml")
    (tmp_path / "y.yaml").symlink_to("x.yaml")
    done = run("check", "./x.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert "cannot read x.yaml: Too many levels of symbolic links" in done.stderr
