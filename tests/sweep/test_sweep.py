"""`testbed sweep`: killed twice and gone on with, the same table as without; what is wrong is one line."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from shutil import copytree

import pytest
from pyarrow import parquet

from testbed.cli.main import main
from testbed.sweep.onerun import answered
from testbed.sweep.sweepfile import load_sweep
from testbed.sweep.sweepfolder import SweepFolder, part_of, sweep_view
from tests.sweep.clusterparts import children, kept, trials

SPEC = """
scenarios: [twitter-facebook-block-2022-03]
vantages: [mts, rostelecom]
strategies: [low-ttl, segments:name]
seeds: 150
"""
RUNS = 600
ONE = "{scenarios: [free-network], vantages: [mts]}"


def run(*args: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(args)
    return int(ended.value.code or 0)


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("spec") / "sweep.yaml"
    file.write_text(SPEC, "utf-8")
    return file


@pytest.fixture(scope="module")
def made(spec: Path) -> Path:
    """The whole sweep, made here, run by run."""
    return whole(spec, spec.parent / "made")


@pytest.fixture(scope="module")
def probed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep of a detector, of one run."""
    file = tmp_path_factory.mktemp("one") / "one.yaml"
    file.write_text(ONE, "utf-8")
    return whole(file, file.parent / "made")


def whole(spec: Path, out: Path) -> Path:
    plan = load_sweep(spec, core=True)
    folder = SweepFolder.open(out, plan)
    for number in folder.missing():
        answer = answered(plan.run(number), plan.spec.settings, 1, "here")
        folder.keep(part_of(plan, number), answer.swept)
    folder.finish()
    return folder.folder


def copy(folder: Path, into: Path) -> Path:
    return copytree(folder, into / "swept")


def reading(spec: Path, out: Path) -> list[list[str]]:
    """The commands that read the folder of a sweep."""
    return [
        ["score", str(out)],
        ["report", str(out), "-o", str(out / "page.html")],
        ["sweep", str(spec), "--core", "--out", str(out)],
    ]


def test_killed_twice_and_gone_on_with_it_has_the_same_table(spec: Path, made: Path, tmp_path: Path) -> None:
    out = tmp_path / "swept"
    command = [str(Path(sys.executable).with_name("testbed")), "sweep", str(spec), "--core", "--local", "2"]
    own = {**os.environ, "TMPDIR": str(tmp_path)}
    for enough in (20, 150):
        begun = subprocess.Popen([*command, "--out", str(out)], stderr=subprocess.PIPE, env=own)
        while kept(out) < enough and begun.poll() is None:
            time.sleep(0.02)
        workers = children(begun.pid)
        assert begun.poll() is None, begun.communicate()[1]
        begun.kill()
        begun.communicate()
        assert enough <= kept(out) < RUNS
        for pid in workers:  # none outlives who started it
            while Path(f"/proc/{pid}/exe").exists():
                time.sleep(0.02)

    done = subprocess.run([*command, "--out", str(out)], capture_output=True, text=True, env=own, check=False)
    assert done.returncode == 0, done.stderr
    assert f"{RUNS} of {RUNS} runs; recorded in" in done.stderr
    assert trials(out) == trials(made)
    assert not (out / "journal").exists()


def test_view_has_every_run_and_its_trials(made: Path) -> None:
    found = sweep_view(made)
    assert found.sql("SELECT count(*), count(DISTINCT run), sum(trials) FROM runs").fetchall() == [
        (RUNS, RUNS, found.sql("SELECT count(*) FROM trials").fetchall()[0][0])
    ]
    standings = found.sql(
        "SELECT contender, standing, count(*) FROM trials GROUP BY ALL ORDER BY 1"
    ).fetchall()
    assert standings == [("low-ttl", "through", 300), ("segments:name", "through", 300)]
    assert "CREATE OR REPLACE VIEW trials" in (made / "view.sql").read_text("utf-8")


def test_score_and_report_read_it(
    made: Path, probed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("score", str(probed), "--json") == 0
    score = json.loads(capsys.readouterr().out)
    assert score["detector"] == "probe"
    assert run("score", str(made)) == 2
    assert "no trial of a detector is in it" in capsys.readouterr().err

    page = tmp_path / "page.html"
    assert run("report", str(made), str(probed), "-o", str(page)) == 0
    text = page.read_text("utf-8")
    assert "testbed sweep" in text
    assert "Tools against boxes" in text


def test_a_line_that_was_cut_is_made_again(spec: Path, tmp_path: Path) -> None:
    plan = load_sweep(spec, core=True)
    folder = SweepFolder.open(tmp_path / "swept", plan)
    for number in (0, 1):
        answer = answered(plan.run(number), plan.spec.settings, 1, "here")
        folder.keep(part_of(plan, number), answer.swept)
    journal = next((tmp_path / "swept").glob("journal/*"))
    journal.write_bytes(journal.read_bytes()[:-9])

    again = SweepFolder.open(tmp_path / "swept", plan)
    assert again.made == 1
    assert next(again.missing()) == 1


@pytest.mark.parametrize("table", ["runs", "trials"])
def test_a_file_that_was_cut_is_named_by_all_and_its_runs_are_made_again_when_it_is_removed(
    table: str, made: Path, spec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = copy(made, tmp_path)
    cut = max(out.glob(f"{table}/*/*.parquet"))
    cut.write_bytes(cut.read_bytes()[:-40])

    for command in reading(spec, out):
        assert run(*command) == 2
        assert f"{cut}: cut short, or no Parquet file" in capsys.readouterr().err
    cut.unlink()
    plan = load_sweep(spec, core=True)
    folder = SweepFolder.open(out, plan)
    assert folder.made == RUNS - 100
    assert list(folder.missing()) == list(range(RUNS - 100, RUNS))
    whole(spec, out)
    assert trials(out) == trials(made)


def test_two_versions_are_not_mixed(
    made: Path, spec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = copy(made, tmp_path)
    plan = (out / "plan.json").read_text("utf-8")
    (out / "plan.json").write_text(plan.replace('"version": "', '"version": "9'), "utf-8")

    for command in reading(spec, out):
        assert run(*command) == 2
        assert "versions are not mixed" in capsys.readouterr().err


def test_a_file_of_another_version_among_the_others_is_named_by_all(
    made: Path, spec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = copy(made, tmp_path)
    file = max(out.glob("trials/*/*.parquet"))
    table = parquet.ParquetFile(file).read()
    parquet.write_table(table.replace_schema_metadata({"testbed": "9.0"}), file)

    for command in reading(spec, out):
        assert run(*command) == 2
        said = capsys.readouterr().err
        assert f"{file}: made by testbed 9.0" in said
        assert "results of two versions are not mixed" in said


def test_another_sweep_does_not_go_on_there(
    probed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flows, more = tmp_path / "flows", tmp_path / "more.yaml"
    more.write_text(ONE.replace("}", ", seeds: 3, limit: 9}"), "utf-8")
    for words, said in [
        ((str(probed.parent / "one.yaml"), "--export", str(flows)), "begun with --core, without --export"),
        ((str(more), "--core"), "begun with seeds 1, not 3, with limit 60.0, not 9.0"),
    ]:
        assert run("sweep", *words, "--out", str(probed)) == 2
        remedy = "give what it was begun with, or a new folder to --out"
        assert capsys.readouterr().err == f"testbed: {probed}/plan.json: {said}; {remedy}\n"
    assert not flows.exists()


def test_a_sweep_killed_between_its_first_two_files_goes_on(made: Path, spec: Path, tmp_path: Path) -> None:
    out = copy(made, tmp_path)
    (out / "sweep.yaml").unlink()
    SweepFolder.open(out, load_sweep(spec, core=True))
    assert (out / "sweep.yaml").read_text("utf-8") == (made / "sweep.yaml").read_text("utf-8")


def test_where_the_first_runs_are_all_nothing_is_estimated(tmp_path: Path) -> None:
    file = tmp_path / "one.yaml"
    file.write_text(ONE, "utf-8")
    words = [str(Path(sys.executable).with_name("testbed")), "sweep", str(file), "--core", "--local", "1"]
    done = subprocess.run(
        [*words, "--out", str(tmp_path / "swept")], capture_output=True, text=True, check=True
    )
    assert "1 of 1 runs" in done.stderr
    assert "about" not in done.stderr


def test_no_scheduler(
    spec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("testbed.sweep.cluster.PATIENCE", 0.5)
    assert run("sweep", str(spec), "--scheduler", "tcp://127.0.0.1:9", "--out", str(tmp_path / "o")) == 2
    assert "no scheduler answers at tcp://127.0.0.1:9" in capsys.readouterr().err


def test_without_dask(
    spec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert run("sweep", str(spec), "--out", str(tmp_path / "o")) == 4
    assert "pip install 'runet-testbed[sweep]'" in capsys.readouterr().err
