"""`testbed sweep --export`: a data set of the runs' flows, by the core and live."""

from base64 import b64decode
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

import pytest

from testbed.capture.file import open_capture
from testbed.cli.main import main
from testbed.dataset.exportfolder import ExportFolder, split_of
from testbed.dataset.make import view
from testbed.errors import InputError
from testbed.sweep.onerun import answered
from testbed.sweep.sweepfile import load_sweep
from testbed.sweep.sweepspec import SweepPlan

SPEC = "{scenarios: [linkedin-ban-2016], vantages: [mts, rostelecom], seeds: 12}"


def plan_of(folder: Path, text: str = SPEC, *, core: bool = True) -> SweepPlan:
    file = folder / "sweep.yaml"
    file.write_text(text, "utf-8")
    return load_sweep(file, core=core, flows=True)


def export(plan: SweepPlan, out: Path, runs: Iterable[int]) -> ExportFolder:
    """The flows of these runs, made here."""
    folder = ExportFolder.open(out, plan.to_json())
    for number in runs:
        answer = answered(plan.run(number), plan.spec.settings, 1, "here")
        assert answer.swept.lab_error == ""
        files = {table: b64decode(data) for table, data in answer.flows.items()}
        folder.keep(number, plan.run(number).seed, files)
    return folder


def digests(folder: Path) -> dict[str, str]:
    files = [one for one in folder.rglob("*") if one.is_file()]
    return {str(one.relative_to(folder)): sha256(one.read_bytes()).hexdigest() for one in files}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[SweepPlan, Path]:
    folder = tmp_path_factory.mktemp("export")
    plan = plan_of(folder)
    export(plan, folder / "set", range(len(plan))).finish()
    return plan, folder / "set"


def test_splits_are_by_seed_and_share_no_name(made: tuple[SweepPlan, Path]) -> None:
    plan, folder = made
    found = view(folder)
    rows = found.sql("SELECT flow // 10000, split, name, label, filtered, rule FROM flows").fetchall()
    assert {(run, split) for run, split, *_ in rows} == {
        (run, split_of(plan.run(run).seed)) for run in range(len(plan))
    }
    names: dict[str, set[str]] = {}
    for _, split, name, *_ in rows:
        names.setdefault(split, set()).add(name)
    assert len(names) > 1
    assert sum(map(len, names.values())) == len(set().union(*names.values()))
    assert {(label, rule) for *_, label, filtered, rule in rows if not filtered} == {("ok", "")}
    assert {label for *_, label, filtered, _ in rows if filtered} >= {"ip.drop"}


def test_packets_of_table_and_capture_are_as_many(made: tuple[SweepPlan, Path]) -> None:
    _, folder = made
    found = view(folder)
    counted = found.sql("SELECT count(*) FROM packets").fetchall()[0][0]
    assert found.sql("SELECT sum(packets_up + packets_down) FROM flows").fetchall() == [(counted,)]
    captured = 0
    for one in folder.glob("pcap/*/*"):
        with open_capture(str(one)) as records:
            captured += sum(1 for _ in records)
    assert captured == counted
    assert "`testbed sweep --export --core`" in (folder / "README.md").read_text("utf-8")


def test_gone_on_with_it_is_the_same(made: tuple[SweepPlan, Path], tmp_path: Path) -> None:
    plan, whole = made
    out = tmp_path / "set"
    export(plan, out, range(9))  # and then the process is killed
    export(plan, out, range(8, len(plan))).finish()
    assert digests(out) == digests(whole)


def test_a_folder_of_another_sweep_is_refused(made: tuple[SweepPlan, Path], tmp_path: Path) -> None:
    plan = plan_of(tmp_path, SPEC.replace("12", "13"))
    with pytest.raises(InputError, match="begun with seeds 12, not 13"):
        ExportFolder.open(made[1], plan.to_json())
    with pytest.raises(InputError, match="is not empty"):
        ExportFolder.open(tmp_path, plan.to_json())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{scenarios: [free-network], strategies: [low-ttl]}", "--export is for flows of the probe"),
        ("{scenarios: [free-network], detectors: [curl]}", "says nothing of its flows"),
    ],
)
def test_wrong_input(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        plan_of(tmp_path, text, core=False)
    assert said in str(caught.value)


@pytest.mark.world
def test_live_flows_have_the_packets_of_a_kernel_and_the_rule_that_acted(tmp_path: Path) -> None:
    """Of the first seed whose coin leaves the censors in."""
    plan = plan_of(tmp_path, "{scenarios: [linkedin-ban-2016], vantages: [mts], seeds: [1]}", core=False)
    export(plan, tmp_path / "set", [0]).finish()
    found = view(tmp_path / "set")
    rows = found.sql(
        "SELECT transport, label, rule, filtered, packets_down, payload_up FROM flows ORDER BY 1"
    ).fetchall()
    rule = "mts/address/address-drop"
    assert rows == [("http", "ip.drop", rule, True, 0, 0), ("tls", "ip.drop", rule, True, 0, 0)]
    assert found.sql("SELECT count(*) FROM flows WHERE name LIKE '%linkedin%'").fetchall() == [(0,)]
    assert not [*tmp_path.rglob("runs")]


def test_the_command_makes_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, out = tmp_path / "sweep.yaml", tmp_path / "set"
    file.write_text(SPEC.replace("12", "2"), "utf-8")
    args = ["sweep", str(file), "--core", "--local", "1", "--export", str(out)]
    with pytest.raises(SystemExit) as ended:
        main([*args, "--out", str(tmp_path / "o")])
    assert ended.value.code == 0, capsys.readouterr().err
    assert f"flows in {out}: its README.md describes them" in capsys.readouterr().out
    assert view(out).sql("SELECT count(DISTINCT flow // 10000) FROM flows").fetchall() == [(4,)]
