"""A disk that is full when a run ends."""

import errno
import os
from pathlib import Path

import pytest

from testbed.errors import Exit
from testbed.run import annotated
from testbed.run.job import Job
from testbed.run.result import RunResult
from testbed.run.session import Session, _with_capture


@pytest.fixture
def ended(tmp_path: Path) -> tuple[Session, RunResult]:
    session = Session.prepare(Job("free-network", vantages=["mts"], capture=True, out=tmp_path / "run"))
    result = RunResult(job=session.job, scenario="free-network", folder=session.folder.path, exit_status=0)
    return session, result


def test_a_capture_that_does_not_fit_leaves_the_recording_and_the_result(
    ended: tuple[Session, RunResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    session, result = ended

    def full(*_: object) -> None:
        (session.folder.path / annotated.CAPTURE).write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(annotated, "write_capture", full)
    found = _with_capture(session, result)
    said = "capture.pcapng could not be written: No space left on device; the packets are in capture/"
    assert found.problems == (f"{said}, without comments",)
    assert (found.exit_status, found.captured) == (Exit.INVALID, None)
    assert not (session.folder.path / annotated.CAPTURE).exists()


def test_any_other_fault_is_not_hidden(
    ended: tuple[Session, RunResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError(errno.EIO, "boom")

    monkeypatch.setattr(annotated, "write_capture", broken)
    with pytest.raises(OSError, match="boom"):
        _with_capture(*ended)
