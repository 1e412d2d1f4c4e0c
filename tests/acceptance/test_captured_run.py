"""One captured run tells its story by itself, and what clients said in TLS can be read in it."""

import json
import os
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from scapy.utils import RawPcapNgReader

import testbed.capture
from testbed import Job, execute, open_world
from testbed.report.held import show_end

pytestmark = pytest.mark.world
WIRESHARK_PROFILE = Path(testbed.capture.__file__).with_name("wireshark")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("captured") / "run"
    job = Job("twitter-facebook-block-2022-03", vantages=["mts"], capture=True, out=folder)
    return execute(job)


@pytest.fixture(scope="module")
def packets(run):
    with RawPcapNgReader(str(run.captured.file)) as reader:
        return [(meta.ifname.decode(), b"".join(meta.comments or ()).decode()) for _, meta in reader]


def receipt(run, rule):
    censor, _, name = rule.rpartition("/")
    return run.receipts[censor]["rules"][name]["kernel"]


def test_nothing_of_the_experiment_or_of_the_capture_is_lost(run, packets):
    assert run.valid, run.problems
    assert (run.captured.lost, run.captured.whole) == ({}, True)
    assert run.captured.packets == len(packets)
    assert json.loads((run.folder / "summary.json").read_text())["capture"]["packets"] == len(packets)
    assert {name.partition(".")[0] for name, _ in packets} == {
        "client",
        "pre-censor",
        "post-censor",
        "server",
    }


def test_as_many_comments_as_the_kernel_counted_acts(run, packets):
    comments = [comment for _, comment in packets if comment]
    found = Counter(
        (match[2], match[1])
        for comment in comments
        if (match := re.search(r"(rewritten|injected|verdict=drop by=kernel).* rule=([\w-]+)", comment))
    )
    rewritten = receipt(run, "mts/tspu-mts/social-reset")["replace"]
    assert found["social-reset", "rewritten"] == rewritten > 0
    assert found["media-page", "injected"] == receipt(run, "mts/isp-mitm/media-page")["inject"] > 0
    dropped = receipt(run, "mts/tspu-mts/quic-v1")["flow_drop"]
    assert found["quic-v1", "verdict=drop by=kernel"] == dropped > 0


def test_each_trigger_says_on_what_it_matched(packets):
    triggers = [comment for _, comment in packets if "trigger: " in comment]
    assert any("rule=social-reset, trigger: rst-rewrite on tls.sni twitter.com" in one for one in triggers)
    assert any("rule=media-page, trigger: page on http.host www.bbc.com" in one for one in triggers)


def tshark(run, *options):
    if not shutil.which("tshark"):
        pytest.skip("this machine lacks: tshark (apt install tshark)")
    line = ["tshark", "-r", str(run.captured.file), *options]
    return subprocess.run(line, capture_output=True, text=True, timeout=110, check=True).stdout


def test_tshark_shows_the_story(run, packets):
    shown = tshark(run, "-Y", "frame.comment", "-T", "fields", "-e", "frame.comment").splitlines()
    assert shown == [comment for _, comment in packets if comment]


def test_tshark_reads_what_was_said_in_tls(run):
    asked = tshark(run, "-Y", "http.request and tls", "-T", "fields", "-e", "http.host").splitlines()
    assert "www.instagram.com" in asked


def test_a_standing_world_is_captured_from_its_beginning_to_its_end(tmp_path, monkeypatch, capsys):
    """Both phases, at the points of both; the acts of the phase that filters, and none of the other."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    curl = ["curl", "-sS", "-o", "/dev/null", "https://abs.twimg.com/bytes/20000"]
    world = open_world(
        "twitter-throttling-2021",
        vantages=["mts"],
        capture=True,
        keys=True,
        phase="before",
        out=tmp_path / "w",
    )
    with world:
        world.run(curl, vantage="mts", check=True)
        secrets = (tmp_path / "w/keys.log").read_text().splitlines()
        world.phase("substring")
        world.run(curl, vantage="mts", check=True)
        ended = world.close()
    assert ended.valid, ended.problems
    show_end(ended.summary())
    assert str(ended.captured) in capsys.readouterr().out
    assert (ended.captured.lost, ended.captured.whole, ended.captured.cut) == ({}, True, 0)
    handshake = [line for line in secrets if line.startswith("CLIENT_HANDSHAKE_TRAFFIC_SECRET")]
    assert (len(handshake), len({*handshake})) == (2, 1), "the server and curl wrote it down"
    with RawPcapNgReader(str(ended.captured.file)) as reader:
        seen = [(meta.ifname.decode(), data, b"".join(meta.comments or ()).decode()) for data, meta in reader]
    hellos = [name for name, data, _ in seen if b"abs.twimg.com" in data]
    assert {hellos.count(f"{side}-censor.mts.hop2") for side in ("pre", "post")} == {2}  # of both phases
    triggers = [comment for _, _, comment in seen if "trigger: police on tls.sni abs.twimg.com" in comment]
    assert len(triggers) == 1


def test_a_run_without_a_capture_has_none(tmp_path):
    plain = execute(Job("free-network", vantages=["mts"], command=["true"], out=tmp_path / "run"))
    assert plain.captured is None
    there = {path.name for path in plain.folder.iterdir()}
    assert not there & {"capture.pcapng", "acts.jsonl", "keys.log", "capture"}


def test_each_act_has_a_colour_in_the_wireshark_profile(run, packets, tmp_path):
    """tshark names the rule that colours a packet; one that it cannot compile it would leave out."""
    profile = tmp_path / ".config/wireshark/profiles/testbed"
    shutil.copytree(WIRESHARK_PROFILE, profile)
    options = (
        "-C",
        "testbed",
        "--color",
        "-Y",
        "frame.comment",
        "-T",
        "fields",
        "-e",
        "frame.coloring_rule.name",
    )
    shown, complaints = coloured(run, tmp_path, *options)
    assert len(shown) == sum(bool(comment) for _, comment in packets)
    assert {name.partition(":")[0] for name in shown} == {"censor"}
    assert {"censor: triggers a rule", "censor: leaves changed", "censor: rewritten"} <= set(shown)
    assert "Could not compile" not in complaints
    with (profile / "colorfilters").open("a") as file:
        file.write("@broken@frame.nonsense ==@[0,0,0][1,1,1]\n")
    assert "Could not compile" in coloured(run, tmp_path, *options)[1], "twin: a filter that is none"


def coloured(run, home, *options):
    if not shutil.which("tshark"):
        pytest.skip("this machine lacks: tshark (apt install tshark)")
    environment = os.environ | {"HOME": str(home), "COLORTERM": "truecolor"}
    environment.pop("XDG_CONFIG_HOME", None)
    line = ["tshark", "-r", str(run.captured.file), *options]
    done = subprocess.run(line, capture_output=True, text=True, check=True, env=environment)
    return done.stdout.splitlines(), done.stderr
