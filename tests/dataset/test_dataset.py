"""`testbed dataset`: the same bytes, resumed, and what is wrong named."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from shutil import copytree

import pytest

from testbed.capture.file import open_capture
from testbed.cli.main import main
from testbed.dataset.make import view
from testbed.parquet.store import put_bytes, read_rows
from testbed.scenario import library

ARGS = ["dataset", "linkedin-ban-2016", "--flows", "40", "--client", "openssl", "--jobs", "1"]


def run(*args: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(args)
    return int(ended.value.code or 0)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "set"
    assert run(*ARGS, "--out", str(folder)) == 0
    return folder


def digests(folder: Path) -> dict[str, str]:
    files = [one for one in folder.rglob("*") if one.is_file()]
    return {str(one.relative_to(folder)): sha256(one.read_bytes()).hexdigest() for one in files}


def test_same_options_make_the_same_bytes_and_what_is_missing_is_made_again(made: Path) -> None:
    before = digests(made)
    lost = sorted(made.glob("flows/*/*.parquet"))[:3]
    for one in lost:
        one.unlink()

    assert run(*ARGS, "--out", str(made)) == 0
    assert digests(made) == before


def test_what_a_kind_of_target_makes_up_follows_from_the_seed(tmp_path: Path) -> None:
    """An Encrypted ClientHello's key and its connection id among it."""
    args = ["dataset", "cloudflare-ech-2024", "--flows", "30", "--jobs", "1", "--out"]
    folders = [tmp_path / name for name in ("first", "second")]
    assert [run(*args, str(folder)) for folder in folders] == [0, 0]
    assert digests(folders[0]) == digests(folders[1])


def test_a_scenario_that_was_changed_meanwhile_is_not_mixed_in(tmp_path: Path) -> None:
    mine, folder = tmp_path / "mine.yaml", tmp_path / "set"
    mine.write_text(library.find("linkedin-ban-2016").read_text("utf-8"))
    begin = "from testbed.cli.start import main; main()"
    command = [sys.executable, "-c", begin, "dataset", str(mine), *ARGS[2:], "--out", str(folder)]
    assert subprocess.run(command, capture_output=True, check=False, timeout=100).returncode == 0
    next(folder.glob("flows/*/*.parquet")).unlink()
    mine.write_text(mine.read_text("utf-8").replace("action: drop", "action: {rst: {to: client}}"))
    again = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert (again.returncode, "begun with other scenarios: a file was changed" in again.stderr) == (2, True)


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_the_command(tmp_path: Path, by: signal.Signals) -> None:
    begin = "from testbed.cli.start import main; main()"
    command = [
        sys.executable,
        "-c",
        begin,
        *ARGS[:2],
        "--flows",
        "9000",
        "--jobs",
        "2",
        "--out",
        str(tmp_path / "x"),
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        workers = until(lambda: [one for one in children.read_text().split() if _is_worker(one)], 2)
        process.send_signal(by)
        process.wait(30)
    assert until(lambda: [one for one in workers if not _is_worker(one)], 2) == workers


def _is_worker(pid: str) -> bool:
    try:
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def until(found: Callable[[], list[str]], number: int) -> list[str]:
    """What is found when there are so many, within half a minute."""
    end = time.monotonic() + 30
    while len(there := found()) < number and time.monotonic() < end:
        time.sleep(0.05)
    return there


def test_another_seed_makes_others(made: Path, tmp_path: Path) -> None:
    assert run(*ARGS, "--seed", "1", "--out", str(tmp_path / "other")) == 0
    name = next(made.glob("flows/split=train/*.parquet")).name
    other = next((tmp_path / "other").glob(f"flows/*/{name}"))
    assert read_rows(other) != read_rows(next(made.glob(f"flows/*/{name}")))


def test_view_has_every_flow_and_every_packet_and_so_has_the_capture(made: Path) -> None:
    found = view(made)
    assert found.sql("SELECT count(*), count(DISTINCT flow) FROM flows").fetchall() == [(40, 40)]
    splits = found.sql("SELECT split, count(*) FROM flows GROUP BY split ORDER BY split").fetchall()
    assert splits == [("test", 4), ("train", 32), ("validation", 4)]
    packets = found.sql("SELECT sum(packets_up + packets_down) FROM flows").fetchall()[0][0]
    assert found.sql("SELECT count(*) FROM packets").fetchall()[0][0] == packets
    captured = 0
    for one in made.glob("pcap/*/*.pcapng"):
        with open_capture(one) as capture:
            captured += sum(1 for _ in capture)
    assert captured == packets


def test_only_filtered_flows_are_blocked(made: Path) -> None:
    found = view(made)
    assert found.sql("SELECT DISTINCT label, rule FROM flows WHERE NOT filtered").fetchall() == [("ok", "")]
    assert found.sql("SELECT count(*) > 5 FROM flows WHERE label <> 'ok' AND rule <> ''").fetchall() == [
        (True,)
    ]


@pytest.mark.parametrize(
    ("table", "said"),
    [("flows", "Parquet file"), ("packets", "Parquet file"), ("pcap", "pcapng")],
)
def test_a_file_that_was_cut_is_named_and_made_again_when_it_is_removed(
    table: str, said: str, made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "set"
    copytree(made, folder)
    cut = min(folder.glob(f"{table}/*/*"))
    cut.write_bytes(cut.read_bytes()[:-40])

    assert run(*ARGS, "--out", str(folder)) == 2
    assert f"{cut}: cut short, or no {said}" in capsys.readouterr().err
    cut.unlink()
    assert run(*ARGS, "--out", str(folder)) == 0
    assert digests(folder) == digests(made)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            ["--seed", "2"],
            "begun with --seed 0, not 2; give what it was begun with, or a new folder to --out",
        ),
        (["--no-pcap", "--ipv", "6"], "begun with --ipv [4, 6], not [6], with packets; give what"),
        (["--client", "chrme"], "there is no client shape 'chrme'; did you mean 'chrome'?"),
    ],
)
def test_wrong_input(made: Path, more: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*ARGS, *more, "--out", str(made)) == 2
    assert said in capsys.readouterr().err


def test_another_version_is_not_mixed(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = (made / "plan.json").read_text("utf-8")
    (tmp_path / "plan.json").write_text(plan.replace('"version": "', '"version": "9'), "utf-8")
    assert run(*ARGS, "--out", str(tmp_path)) == 2
    assert "versions are not mixed" in capsys.readouterr().err


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.parquet.under-way").symlink_to("/dev/full")
    with pytest.raises(OSError, match=r"No space left on device: '.*x\.parquet'"):
        put_bytes(tmp_path / "x.parquet", b"1")
    assert [*tmp_path.iterdir()] == []


def test_without_pyarrow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert run(*ARGS, "--out", str(tmp_path / "set")) == 4
    assert "pip install 'runet-testbed[data]'" in capsys.readouterr().err
