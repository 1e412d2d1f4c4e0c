"""Files and folders that this user may not use: named, with exit status 2, and never called a bug."""

import errno
import os
from pathlib import Path

import pytest

from testbed.cli import main
from testbed.vantage.programs import ProgramError, find_program


@pytest.fixture
def closed(monkeypatch):
    """A folder that the kernel refuses whatever is asked of it. Not by its mode: root may do everything."""
    place = "/srv/other/closed"

    def refusing(call):
        def refused(path, *args, **options):
            if str(path).startswith(place):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
            return call(path, *args, **options)

        return refused

    for name in ("stat", "open", "scandir", "listdir", "mkdir"):
        monkeypatch.setattr(os, name, refusing(getattr(os, name)))
    return place


@pytest.mark.parametrize(
    "line",
    [
        "explain CLOSED/run",
        "diff CLOSED/run CLOSED/other",
        "report CLOSED/run -o report.html",
        "dataset twitter-throttling-2021 --flows 1 --out CLOSED/flows",
        "matrix --core low-ttl:3 --against T --html CLOSED/table.html",
        "check CLOSED/world.yaml",
        "show CLOSED/world.yaml",
    ],
)
def test_it_is_named(line, closed, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main.main(line.replace("CLOSED", closed).split())
    said = capsys.readouterr().err
    assert (ended.value.code, "Permission denied" in said, closed in said) == (2, True, True), said
    assert "bug" not in said


@pytest.mark.parametrize("file", ["/proc/sys/x", "/sys/fs/x", "/dev/net/tun"])
def test_what_no_user_names_is_our_bug(file, monkeypatch, capsys):
    def fail(*_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), file)

    monkeypatch.setattr(main.testbed, "make_context", fail)
    assert main._status(["list"]) == 3
    assert "this is a bug in testbed" in capsys.readouterr().err


def test_a_program_that_may_not_be_reached(closed):
    with pytest.raises(ProgramError) as refused:
        find_program(f"{closed}/program", {"PATH": "/bin"})
    assert (refused.value.status, str(refused.value)) == (126, f"{closed}/program: Permission denied")


def test_out_keeps_live_cells_alone(capsys):
    assert main._status(["matrix", "--core", "low-ttl:3", "--out", str(Path("kept"))]) == 2
    assert "--out keeps the tries of live cells, and --core makes none of those" in capsys.readouterr().err
