"""`testbed replay`, as a person or a program calls it."""

import gzip
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.utils import RawPcapNgReader

from testbed.capture.writer import PcapngWriter
from testbed.replay.rewriter import Rewriter
from tests.capture.captures import BEGIN, Session, pcap, pcapng
from tests.censor.line import hello
from tests.inprocess import CommandDone, run_here

RULES = """\
rules:
  - name: reset
    match: {tls.sni: [x.com]}
    action: rst-rewrite
"""
SCENARIO = """\
title: A test
period: 2022
sources: [our choice]
censors:
  tspu: {profile: t22, rules: [{name: reset, match: {tls.sni: [x.com]}, action: rst-rewrite}]}
  isp:
    profile: leg-active
    rules: [{name: page, match: {http.host: [x.com]}, action: {page: {location: operator}}}]
phases: {block: {mts: [tspu, isp], beeline: isp}}
default_phase: block
"""


def call(*args: str, cwd: Path, stdin: bytes = b"") -> CommandDone:
    return run_here("replay", *args, cwd=cwd, stdin=stdin, env={"NO_COLOR": "1"})


def process(*args: str, cwd: Path, memory: int = 0, prefix: str = "") -> subprocess.CompletedProcess[bytes]:
    """In a process of its own, with at most so much memory, and with these lines run first."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))

    program = f"{prefix}from testbed.cli.main import main; main()"
    return subprocess.run(
        [sys.executable, "-c", program, "replay", *args],
        capture_output=True, cwd=cwd, timeout=100, check=False,
        env={**os.environ, "NO_COLOR": "1"}, preexec_fn=limit if memory else None,
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "s.yaml").write_text(SCENARIO)
    (tmp_path / "a.pcap").write_bytes(pcap(Session().whole().frames()))
    (tmp_path / "a.pcapng").write_bytes(pcapng(Session().whole().frames(), nano=True))
    (tmp_path / "neutral.pcap").write_bytes(pcap(Session("neutral.com").whole().frames()))
    return tmp_path


@pytest.mark.parametrize("name", ["a.pcap", "a.pcapng"])
def test_table(folder: Path, name: str) -> None:
    done = call(name, "--profile", "t22", "--rules", "rules.yaml", cwd=folder)
    assert (done.returncode, done.stderr) == (0, b"")
    lines = done.stdout.decode().splitlines()
    assert " ".join(lines[1].split()) == (
        "4 0.003000 up tcp 192.168.1.10:40000 > 104.244.42.1:443 matched reset: x.com"
    )
    assert [line.split()[0] for line in lines[1:4]] == ["4", "5", "6"]
    assert "7 packets in 0.006 s, 7 of them judged, 3 affected" in lines
    assert "inside: 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16" in lines[-1]


def test_a_runs_own_record_is_replayed_at_one_place(folder: Path) -> None:
    """It has each packet once for each place that it passed: counts of all together would be wrong."""
    with (folder / "run.pcapng").open("wb") as file:
        out = PcapngWriter(file)
        for time, packet in Session().whole().packets:
            for place in ("client.mts", "pre-censor.mts.hop2", "server.far"):
                out.packet(place, 101, time, bytes(packet), len(packet))
    command = ("run.pcapng", "--profile", "t22", "--rules", "rules.yaml", "--summary")
    done = call(*command, cwd=folder)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"recorded at 2 places" in done.stderr
    assert b"choose one, as --interface client.mts" in done.stderr
    done = call(*command, "--interface", "client.mts", cwd=folder)
    assert "7 packets in 0.006 s, 7 of them judged, 3 affected" in done.stdout.decode().splitlines()
    done = call(*command, "--interface", "client.mst", cwd=folder)
    assert (done.returncode, b"has no 'client.mst'; did you mean 'client.mts'?" in done.stderr) == (2, True)


def test_a_neutral_capture(folder: Path) -> None:
    done = call("neutral.pcap", "--profile", "t22", "--rules", "rules.yaml", cwd=folder)
    assert done.stdout.decode().splitlines()[1].endswith("0 affected")


def test_every_packet_and_limit(folder: Path) -> None:
    done = call("a.pcap", "--profile", "t22", "--rules", "rules.yaml", "--all", "--limit", "5", cwd=folder)
    rows = done.stdout.decode().splitlines()[1:6]
    assert [row.rsplit(None, 1)[1] for row in rows] == ["passed", "passed", "passed", "x.com", "reset"]
    assert "5 packets in" in done.stdout.decode()


def test_flows(folder: Path) -> None:
    done = call("a.pcap", "--profile", "t22", "--rules", "rules.yaml", "--summary", cwd=folder)
    (flow,) = [line for line in done.stdout.decode().splitlines() if line.startswith("tcp")]
    assert flow.split(None, 4)[4] == "3  1 matched, 2 rewritten (reset)"


def test_json(folder: Path) -> None:
    arguments = ("a.pcapng", "--profile", "t22", "--rules", "rules.yaml", "--json", "--summary")
    (last,) = call(*arguments, cwd=folder).stdout.splitlines()
    assert json.loads(last)["summary"]["flows"][0]["met"] == 3
    lines = [json.loads(line) for line in call(*arguments[:-1], cwd=folder).stdout.splitlines()]
    assert [line["packet"] for line in lines[:-1]] == [4, 5, 6]
    assert lines[1]["verdict"] == "replace"
    assert lines[1]["effects"] == [{"what": "rewritten", "rule": "reset"}]
    assert lines[1]["timestamp_ns"] == BEGIN + 4_000_000
    summary = lines[-1]["summary"]
    assert (summary["packets"], summary["profile"], summary["fault"]) == (7, "t22", "")
    assert summary["rules"]["reset"] == {
        "matched": 1, "missed": 0, "dropped": 0, "rewritten": 2, "injected": 0, "delayed": 0, "policed": 0
    }  # fmt: skip


def written(path: Path) -> list[tuple[str, int, str, bytes]]:
    """As scapy reads it: interface, time in ns, comment, frame."""
    with RawPcapNgReader(str(path)) as reader:
        return [
            (
                meta.ifname.decode(),
                (meta.tshigh << 32 | meta.tslow) * 10**9 // meta.tsresol,
                (meta.comments or [b""])[0].decode(),
                data,
            )
            for data, meta in reader
        ]


def action(folder: Path, text: str) -> tuple[str, ...]:
    (folder / "rules.yaml").write_text(RULES.replace("rst-rewrite", text))
    return ("a.pcapng", "--profile", "t22", "--rules", "rules.yaml", "--out", "out.pcapng", "--summary")


def test_out_rewritten(folder: Path) -> None:
    assert call(*action(folder, "rst-rewrite"), cwd=folder).returncode == 0
    packets = written(folder / "out.pcapng")
    assert [name for name, *_ in packets] == ["line"] * 7
    assert [comment for _, _, comment, _ in packets] == [
        "", "", "", "censor: matched reset: x.com", *["censor: rewritten by reset"] * 2, ""
    ]  # fmt: skip
    before = [frame for _, frame in Session().whole().frames()]
    after = [frame for *_, frame in packets]
    assert [one == other for one, other in zip(before, after, strict=True)] == [
        *[True] * 4,
        False,
        False,
        True,
    ]
    assert Ether(after[4])[TCP].flags == "RA"
    assert [at for _, at, _, _ in packets] == [at for at, _ in Session().whole().frames()]


def test_out_dropped_and_injected(folder: Path) -> None:
    assert (
        call(*action(folder, "{rst: {to: client, trigger: drop, residual: 0 s}}"), cwd=folder).returncode == 0
    )
    packets = written(folder / "out.pcapng")
    told = [(name, comment) for name, _, comment, _ in packets if comment]
    assert told[:2] == [
        ("dropped", "censor: matched reset: x.com; dropped by reset"),
        ("injected", "censor: injected by reset"),
    ]
    (answer,) = [Ether(frame) for name, _, _, frame in packets if name == "injected"]
    hello = Ether(Session().whole().frames()[3][1])
    assert (answer.src, answer.dst) == (hello.dst, hello.src)
    assert (answer[IP].dst, answer[TCP].flags) == ("192.168.1.10", "RA")


def test_out_delayed(folder: Path) -> None:
    assert call(*action(folder, "{shape: {rate: 100 kbit/s}}"), cwd=folder).returncode == 0
    packets = written(folder / "out.pcapng")
    times = [at for _, at, _, _ in packets]
    assert times == sorted(times)
    assert len(packets) == 7
    assert times[-1] > BEGIN + 20_000_000  # the last packet was captured at 6 ms
    assert [Ether(frame)[IP].len for *_, frame in packets][:3] == [40, 40, 40]
    assert sum("delayed" in comment for _, _, comment, _ in packets) == 4


def test_out_over_the_capture_itself(folder: Path) -> None:
    before = (folder / "a.pcap").read_bytes()
    done = call("a.pcap", "--profile", "t22", "--rules", "rules.yaml", "--out", "./a.pcap", cwd=folder)
    assert done.returncode == 2
    assert b"is the capture itself" in done.stderr
    assert (folder / "a.pcap").read_bytes() == before


def test_standard_input(folder: Path) -> None:
    data = (folder / "a.pcap").read_bytes()
    done = call("-", "--profile", "t22", "--rules", "rules.yaml", cwd=folder, stdin=data)
    assert done.returncode == 0
    assert b"7 packets" in done.stdout


def test_a_pipe_by_name(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    with subprocess.Popen(["sh", "-c", "cat a.pcapng > pipe"], cwd=folder):
        done = call("pipe", "--profile", "t22", "--rules", "rules.yaml", cwd=folder)
    assert b"7 packets" in done.stdout


def test_gzipped_input(folder: Path) -> None:
    (folder / "a.pcap.gz").write_bytes(gzip.compress((folder / "a.pcap").read_bytes()))
    done = call("a.pcap.gz", "--profile", "t22", "--rules", "rules.yaml", cwd=folder)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"7 packets" in done.stdout


NOTHING = {
    "beside": (
        pcap([(BEGIN, bytes(IP(src="1.2.3.4", dst="5.6.7.8") / TCP()))], link=101),
        ("--inside", "10.0.0.0/8"),
        "no packet has one end inside, which is 10.0.0.0/8 (as given); name the subscribers' side",
    ),
    "foreign": (
        pcap([(BEGIN, b"x" * 40)], link=127),
        (),
        "frames of link type 127 are not read; Ethernet, PPP",
    ),
    "not IP": (pcap([(BEGIN, bytes(60))]), (), "no frame carries an IP packet"),
    "cut": (pcap(Session().whole().frames(), snap=30), (), "cut by the snap length; capture whole packets"),
    "wrong link": (
        pcap([(BEGIN, b"E\0\xff" + bytes(30))], link=101),
        (),
        "is the link type in the file right?",
    ),
}


@pytest.mark.parametrize("why", NOTHING)
def test_nothing_judged_is_a_status_of_its_own(folder: Path, why: str) -> None:
    """An empty result is not "nothing was censored"."""
    data, more, said = NOTHING[why]
    arguments = ("-", "--profile", "t22", "--rules", "rules.yaml", *more)
    done = call(*arguments, cwd=folder, stdin=data)
    assert done.returncode == 5
    assert done.stderr.decode().startswith("testbed: nothing was judged: ")
    assert said in done.stderr.decode()
    again = call(*arguments, "--json", cwd=folder, stdin=data)
    assert again.returncode == 5
    assert said in json.loads(again.stdout.splitlines()[-1])["summary"]["nothing_judged"]


def test_offloads_are_said_with_what_they_change(folder: Path) -> None:
    session = Session().send("up", "S").send("down", "SA").send("up", "A")
    (folder / "o.pcap").write_bytes(pcap(session.send("up", "PA", hello(pad=1700)).frames()))
    arguments = ("o.pcap", "--profile", "t22", "--rules", "rules.yaml")
    said = call(*arguments, cwd=folder).stdout.decode()
    assert "4 packets in 0.003 s, 5 of them judged, 0 affected" in said
    assert "note: 1 of them, larger than the wire's packets (offloads), were cut into 2" in said
    assert "a name may have been split elsewhere" in said
    assert "ethtool -K DEVICE" in said
    as_captured = call(*arguments, "--mtu", "65535", cwd=folder).stdout.decode()
    assert "matched reset: x.com" in as_captured
    assert "offloads" not in as_captured
    assert "offloads" not in call("a.pcap", *arguments[1:], cwd=folder).stdout.decode()


def test_guessed_sides_are_said(folder: Path) -> None:
    frames = Session(client="9.9.9.9").whole().frames()[3:]
    (folder / "g.pcap").write_bytes(pcap(frames))
    arguments = ("g.pcap", "--profile", "t22", "--rules", "rules.yaml")
    said = call(*arguments, cwd=folder).stdout.decode()
    assert "inside: 9.9.9.9/32 (IPv4: a guess: no handshake, so the end with the larger port)" in said
    assert said.splitlines()[-1].startswith("note: the sides are a guess; name")
    assert "guess" not in call("a.pcap", *arguments[1:], cwd=folder).stdout.decode()


@pytest.mark.parametrize("wrong", ["empty", "interrupted"])
def test_no_half_output_is_left(folder: Path, wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new capture has its name when it is complete; an older one of that name is kept until then."""
    (folder / "out.pcapng").write_bytes(b"older")
    data, status = pcap([]), 2
    if wrong == "interrupted":
        data, status = (folder / "a.pcap").read_bytes(), 130

        def close(_: Rewriter) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(Rewriter, "close", close)
    arguments = ("-", "--profile", "t22", "--rules", "rules.yaml", "--out", "out.pcapng")
    assert call(*arguments, cwd=folder, stdin=data).returncode == status
    assert (folder / "out.pcapng").read_bytes() == b"older"
    assert not list(folder.glob(".out*"))


def test_output_to_a_device(folder: Path) -> None:
    arguments = ("a.pcap", "--profile", "t22", "--rules", "rules.yaml", "--out", "/dev/null")
    assert call(*arguments, cwd=folder).returncode == 0
    assert Path("/dev/null").is_char_device()


def test_a_truncated_capture_is_replayed_and_said(folder: Path) -> None:
    data = (folder / "a.pcap").read_bytes()[:-5]
    done = call("-", "--profile", "t22", "--rules", "rules.yaml", cwd=folder, stdin=data)
    assert b"6 packets in" in done.stdout
    assert done.returncode == 2
    assert done.stderr.startswith(b"testbed: standard input: ends in the middle of packet 7; ")


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"", "is empty"), (b"hello world", "is not a capture"), (pcap([]), "contains no packets")],
)
def test_not_a_capture(folder: Path, data: bytes, said: str) -> None:
    done = call("-", "--profile", "t22", "--rules", "rules.yaml", cwd=folder, stdin=data)
    assert (done.returncode, done.stdout) == (2, b"")
    assert f"standard input: {said}" in done.stderr.decode()


def test_a_censor_of_a_scenario(folder: Path) -> None:
    done = call("a.pcap", "--rules", "s.yaml", "--censor", "tspu", cwd=folder)
    assert b"rewritten by reset" in done.stdout
    other = call("a.pcap", "--rules", "s.yaml", "--censor", "isp", "--json", cwd=folder)
    assert json.loads(other.stdout)["summary"]["profile"] == "leg-active"
    older = call("a.pcap", "--rules", "s.yaml", "--censor", "tspu", "--profile", "t21", "--json", cwd=folder)
    assert json.loads(older.stdout.splitlines()[-1])["summary"]["profile"] == "t21"


def split() -> Session:
    """A ClientHello in two segments, cut inside the name."""
    first, second = hello("x.com")[:50], hello("x.com")[50:]
    session = Session().send("up", "S").send("down", "SA").send("up", "A")
    session.send("up", "PA", first).send("up", "PA", second)
    return session.send("down", "PA", b"\x16\x03\x03\x00\x7a" + bytes(122))


@pytest.mark.parametrize(("model", "matched"), [("T", False), ("D", False), ("R", True), ("Rvm", True)])
def test_another_model(folder: Path, model: str, matched: bool) -> None:
    (folder / "split.pcap").write_bytes(pcap(split().frames()))
    arguments = ("split.pcap", "--rules", "s.yaml", "--censor", "tspu", "--model", model)
    done = call(*arguments, cwd=folder)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (b"rewritten by reset" in done.stdout) is matched


def test_the_model_of_the_rules(folder: Path) -> None:
    (folder / "split.pcap").write_bytes(pcap(split().frames()))
    (folder / "own.yaml").write_text(f"profile: t22\nmodel: R\n{RULES}")
    assert b"rewritten by reset" in call("split.pcap", "--rules", "own.yaml", cwd=folder).stdout
    other = call("split.pcap", "--rules", "own.yaml", "--model", "T", cwd=folder)
    assert b"rewritten by reset" not in other.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("--rules", "s.yaml", "--censor", "tspu", "--model", "rvm"),
            "--model: unknown model 'rvm'; did you mean 'Rvm'?",
        ),
        (("--rules", "rules.yaml"), "rules.yaml: the file has no profile; give --profile: "),
        (
            ("--rules", "rules.yaml", "--profile", "t23x"),
            "--profile: there is no profile 't23x'; did you mean",
        ),
        (("--rules", "s.yaml"), "s: has 2 censors: tspu, isp; choose one with --censor"),
        (("--rules", "s.yaml", "--censor", "isq"), "--censor: s has no censor 'isq'; did you mean 'isp'?"),
        (
            ("--rules", "s.yaml", "--censor", "tspu", "--operator", "beeline"),
            "beeline has no censor 'tspu'",
        ),
        (
            ("--rules", "s.yaml", "--censor", "tspu", "--operator", "x"),
            "--operator: there is no operator 'x'",
        ),
        (("--rules", "rules.yaml", "--censor", "a", "--profile", "t22"), "contains only rules"),
        (("--rules", "nowhere.yaml"), "there is no scenario file 'nowhere.yaml'"),
        (("--rules", "bad.yaml", "--profile", "t22"), "bad.yaml:3 rules[0].match: unknown key 'tls.snl'"),
        (
            ("--rules", "worse.yaml", "--profile", "t22"),
            "worse.yaml:3 rules[0].match.transport: the rule can never match",
        ),
    ],
)
def test_wrong_rules(folder: Path, arguments: tuple[str, ...], said: str) -> None:
    (folder / "bad.yaml").write_text(RULES.replace("sni", "snl"))
    (folder / "worse.yaml").write_text(RULES.replace("[x.com]", "[x.com], transport: udp"))
    done = call("a.pcap", *arguments, cwd=folder)
    assert done.returncode == 2
    assert said in done.stderr.decode().replace("match.tls.snl", "match")


def test_no_library_of_another_licence_and_no_far_side_is_loaded(folder: Path) -> None:
    """pyOpenSSL comes with aioquic, scapy is for tests; neither has a place in this process."""
    watch = (
        "import atexit, sys\n"
        "bad = ('aioquic', 'OpenSSL', 'scapy', 'netfilterqueue', 'hypercorn')\n"
        "atexit.register(lambda: print('LOADED', [m for m in bad if m in sys.modules]))\n"
    )
    done = process("a.pcap", "--profile", "t22", "--rules", "rules.yaml", cwd=folder, prefix=watch)
    assert b"LOADED []" in done.stdout


def long_capture(path: Path, packets: int) -> None:
    """So many packets of 500 flows, taken in turns."""
    one = Session("neutral.com").whole(23).frames()
    turns = packets // len(one) // 500
    with path.open("wb") as file:
        file.write(pcap([]))
        for turn in range(turns):
            for number, (_, frame) in enumerate(one):
                at = BEGIN + (turn * len(one) + number) * 10**9
                ports = [(20_000 + flow).to_bytes(2, "big") for flow in range(500)]
                up = frame[26:30] == bytes([192, 168, 1, 10])
                cut = 34 if up else 36
                flows = [(at, frame[:cut] + port + frame[cut + 2 :]) for port in ports]
                file.write(pcap(flows)[24:])


def test_memory_does_not_grow_with_the_file(folder: Path) -> None:
    """The same in 300,000 packets as in 30,000, and within a limit of the whole process."""
    long_capture(folder / "long.pcap", 300_000)
    long_capture(folder / "short.pcap", 30_000)
    assert (folder / "long.pcap").stat().st_size > 45_000_000
    arguments = ("--profile", "t22", "--rules", "rules.yaml", "--summary", "--json")
    peak = "import atexit, resource\natexit.register(lambda: print(resource.getrusage(0).ru_maxrss))\n"
    short, long = (
        int(process(name, *arguments, cwd=folder, prefix=peak, memory=300 << 20).stdout.split()[-1])
        for name in ("short.pcap", "long.pcap")
    )
    assert long - short < 4_000  # kB
