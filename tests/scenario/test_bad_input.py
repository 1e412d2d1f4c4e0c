"""Each way of getting a scenario wrong: the place, the wrong value and the remedy that the user reads."""

import pytest

from tests.scenario.conftest import Desk

RESET = "match: {tls.sni: [twitter.com]}"
EXPECT = '{phase: block, vantage: mts, target: "https://twitter.com/", outcome: tls.sni.rst, by: reset}'


def expect(**changes: str) -> str:
    parts = {
        "phase": "block",
        "vantage": "mts",
        "target": '"https://twitter.com/"',
        "outcome": "tls.sni.rst",
        "by": "reset",
    }
    return "{" + ", ".join(f"{key}: {value}" for key, value in (parts | changes).items()) + "}"


# old text, new text, place, a part of the message, a part of the remedy
CASES = {
    "unknown key": ("title:", "titel:", "x.yaml:1 titel", "unknown key 'titel'", "did you mean 'title'?"),
    "unknown key in match": (
        "tls.sni:",
        "tls.snl:",
        "x.yaml:10 censors.tspu.rules[0].match.tls.snl",
        "unknown key 'tls.snl'",
        "'tls.sni'",
    ),
    "unknown key in a censor": (
        "    profile:",
        "    profiel:",
        "x.yaml:7 censors.tspu.profiel",
        "unknown key 'profiel'",
        "'profile'",
    ),
    "wrong type": (
        "sources: [our choice]",
        "sources: {a: b}",
        "x.yaml:3 sources",
        "expected a list, found {'a': 'b'}",
        "[a, b]",
    ),
    "number for text": ("title: A test", "title: 12", "x.yaml:1 title", "expected text, found 12", "quotes"),
    "text for a list of rules": (
        RESET,
        "match: twitter.com",
        "x.yaml:10 censors.tspu.rules[0].match",
        "expected key: value pairs, found 'twitter.com'",
        "key: value",
    ),
    "no such day": (
        "period: 2022",
        "period: 2022-13-45",
        "x.yaml:2 period",
        "'2022-13-45' is no period",
        "write 2021-03-10/2021-05-17",
    ),
    "a day alone in the end": (
        "period: 2022",
        "period: /2022",
        "x.yaml:2 period",
        "'/2022' is no period",
        "2022-03",
    ),
    "an end before the beginning": (
        "period: 2022",
        "period: 2022-03-04/2022-02",
        "x.yaml:2 period",
        "the period '2022-03-04/2022-02' ends before it begins",
        "the earlier day first",
    ),
    "a title that the terminal obeys": (
        "title: A test",
        'title: "A \\e]0;test\\a"',
        "x.yaml:1 title",
        "the text contains the control character U+001B",
        "leave it out",
    ),
    "a title that turns its direction": (
        "title: A test",
        'title: "A \\u202etest"',
        "x.yaml:1 title",
        "the text contains the control character U+202E",
        "leave it out",
    ),
    "a rule's name that rings": (
        "name: reset",
        'name: "re\\aset"',
        "x.yaml:9 censors.tspu.rules[0].name",
        "the text contains the control character U+0007",
        "leave it out",
    ),
    "unknown profile": (
        "t22",
        "t2022",
        "x.yaml:7 censors.tspu.profile",
        "unknown profile 't2022'",
        "did you mean 't22'?",
    ),
    "unknown action": (
        "rst-rewrite",
        "rst-rewrit",
        "x.yaml:11 censors.tspu.rules[0].action",
        "unknown action 'rst-rewrit'",
        "'rst-rewrite'",
    ),
    "unknown parameter": (
        "action: rst-rewrite",
        "action: {rst-rewrite: {residal: 75 s}}",
        "x.yaml:11 censors.tspu.rules[0].action.rst-rewrite.residal",
        "unknown key 'residal'",
        "'residual'",
    ),
    "missing parameter": (
        "action: rst-rewrite",
        "action: police",
        "x.yaml:11 censors.tspu.rules[0].action",
        "the key 'rate' is missing",
        "rate: …",
    ),
    "wrong unit": (
        "action: rst-rewrite",
        "action: {police: {rate: 140 kb}}",
        "x.yaml:11 censors.tspu.rules[0].action.police.rate",
        "'140 kb' is not a rate: unknown unit 'kb'",
        "kbit/s",
    ),
    "no unit": (
        "action: rst-rewrite",
        "action: {rst-rewrite: {residual: 75}}",
        "x.yaml:11 censors.tspu.rules[0].action.rst-rewrite.residual",
        "75 is not a time: it has no unit",
        "75 s",
    ),
    "wrong choice": (
        "action: rst-rewrite",
        "action: {drop: {scope: flows}}",
        "x.yaml:11 censors.tspu.rules[0].action.drop.scope",
        "'flows' is not one of 'flow' or 'packet'",
        "'flow'",
    ),
    "two actions": (
        "action: rst-rewrite",
        "action: {drop: {}, rst: {}}",
        "x.yaml:11 censors.tspu.rules[0].action",
        "one action, not 2",
        "one rule for each",
    ),
    "no phase of that name": (
        "phase: block,",
        "phase: blok,",
        "x.yaml:17 expect[0].phase",
        "unknown phase 'blok'",
        "did you mean 'block'?",
    ),
    "no operator of that name": (
        "{mts: tspu}",
        "{mts: tspu, mtc: tspu}",
        "x.yaml:14 phases.block.mtc",
        "unknown operator 'mtc'",
        "did you mean 'mts'?",
    ),
    "no censor of that name": (
        "{mts: tspu}",
        "{mts: tspv, obit: tspu}",
        "x.yaml:14 phases.block.mts",
        "unknown censor 'tspv'",
        "did you mean 'tspu'?",
    ),
    "no default phase": (
        "default_phase: block\n",
        "",
        "x.yaml:1",
        "the key 'default_phase' is missing",
        "default_phase: …",
    ),
    "default phase does not exist": (
        "default_phase: block",
        "default_phase: blocked",
        "x.yaml:15 default_phase",
        "no phase 'blocked'",
        "did you mean 'block'?",
    ),
    "no vantage of that name": (
        EXPECT,
        expect(vantage="mst"),
        "x.yaml:17 expect[0].vantage",
        "unknown vantage 'mst'",
        "did you mean 'mts'?",
    ),
    "target without a site": (
        EXPECT,
        expect(target="https://twitter.org/"),
        "x.yaml:17 expect[0].target",
        "no site of the world 'small' answers to 'twitter.org'",
        "did you mean 'twitter.com'?",
    ),
    "target that is no URL": (
        EXPECT,
        expect(target="twitter.com"),
        "x.yaml:17 expect[0].target",
        "'twitter.com' is not a target",
        "https://NAME/",
    ),
    "target with a port": (
        EXPECT,
        expect(target='"https://twitter.com:8443/"'),
        "x.yaml:17 expect[0].target",
        "has port 8443",
        "leave it out",
    ),
    "control without a site": (
        '["https://vk.com/"]',
        "https://vk.co/",
        "x.yaml:18 controls",
        "answers to 'vk.co'",
        "did you mean 'vk.com'?",
    ),
    "no such resolver": (
        EXPECT,
        expect(target="dns://8.8.8.7/twitter.com"),
        "x.yaml:17 expect[0].target",
        "no resolver at '8.8.8.7'",
        "'8.8.8.8'",
    ),
    "upload without a size": (
        EXPECT,
        expect(target="put+https://twitter.com/upload"),
        "x.yaml:17 expect[0].target",
        "how much to upload",
        "?bytes=N",
    ),
    "unknown outcome": (
        EXPECT,
        expect(outcome="tls.sni.reset"),
        "x.yaml:17 expect[0].outcome",
        "unknown outcome 'tls.sni.reset'",
        "'tls.sni.rst'",
    ),
    "by names no rule": (
        EXPECT,
        expect(by="rest"),
        "x.yaml:17 expect[0].by",
        "no rule 'rest' is in force at mts in phase 'block'",
        "did you mean 'reset'?",
    ),
    "by in a phase without the rule": (
        EXPECT,
        expect(phase="free"),
        "x.yaml:17 expect[0].by",
        "no rule 'reset' is in force at mts in phase 'free'",
        "there are none",
    ),
    "no cause": (
        EXPECT,
        '{vantage: mts, phase: block, target: "https://twitter.com/", outcome: tls.sni.rst}',
        "x.yaml:17 expect[0]",
        "'tls.sni.rst' needs a cause",
        "by: RULE",
    ),
    "rate without throttle": (
        EXPECT,
        expect(rate="1..2 kbit/s"),
        "x.yaml:17 expect[0].rate",
        "a rate goes with 'throttle', not with 'tls.sni.rst'",
        "remove it",
    ),
    "rate that is no range": (
        EXPECT,
        expect(outcome="throttle", rate="140 kbit/s"),
        "x.yaml:17 expect[0].rate",
        "'140 kbit/s' is not a range",
        "130..150 kbit/s",
    ),
    "bytes without freeze": (
        EXPECT,
        expect(received="12..20 KiB"),
        "x.yaml:17 expect[0].received",
        "'received' goes with 'freeze', not with 'tls.sni.rst'",
        "remove it",
    ),
    "bytes that are no range": (
        EXPECT,
        expect(outcome="freeze", received="16 KiB"),
        "x.yaml:17 expect[0].received",
        "'16 KiB' is not a range of sizes",
        "12..20 KiB",
    ),
    "share of one try": (
        EXPECT,
        expect(share="30..70 %"),
        "x.yaml:17 expect[0].share",
        "one try has no share",
        "add 'tries: 30'",
    ),
    "share that is no range": (
        EXPECT,
        expect(tries="9", share="50 %"),
        "x.yaml:17 expect[0].share",
        "'50 %' is not a range of shares",
        "30..70 %",
    ),
    "share above the whole": (
        EXPECT,
        expect(tries="9", share="50..170 %"),
        "x.yaml:17 expect[0].share",
        "'170 %' is not a share",
        "from 0 to 1",
    ),
    "share of those that work": (
        EXPECT,
        expect(outcome="ok", tries="9", share="30..70 %"),
        "x.yaml:17 expect[0].share",
        "the tries that are not 'ok' need an outcome of their own",
        "expect that outcome, with its share",
    ),
    "no tries": (EXPECT, expect(tries="0"), "x.yaml:17 expect[0].tries", "0 is too small", "1 or more"),
    "a third IP version": (EXPECT, expect(ip="5"), "x.yaml:17 expect[0].ip", "5", "4"),
    "expected twice over one IP version": (
        EXPECT,
        f"{expect(ip='6')}\n  - {expect(outcome='ok')}",
        "x.yaml:18 expect[1]",
        "https://twitter.com/ from mts in phase 'block' over IPv6 is expected twice",
        "expect[0] already says 'tls.sni.rst'",
    ),
    "expected twice": (
        EXPECT,
        f"{expect()}\n  - {expect(outcome='ok')}",
        "x.yaml:18 expect[1]",
        "https://twitter.com/ from mts in phase 'block' is expected twice",
        "expect[0] already says 'tls.sni.rst'",
    ),
    "hop too far": (
        "    profile: t22",
        "    profile: t22\n    hop: 6",
        "x.yaml:8 censors.tspu.hop",
        "hop 6 does not exist at mts, which has 5",
        "1 to 5",
    ),
    "hop zero": (
        "    profile: t22",
        "    profile: t22\n    hop: 0",
        "x.yaml:8 censors.tspu.hop",
        "0 is too small",
        "write 1 or more",
    ),
    "same censor twice": (
        "{mts: tspu}",
        "{mts: [tspu, tspu]}",
        "x.yaml:14 phases.block.mts[1]",
        "the censor 'tspu' is placed twice at mts",
        "name it once",
    ),
    "two censors at one resolver": (
        "phases:\n  free: {}\n  block: {mts: tspu}",
        "".join(
            f"  lies{n}: {{profile: leg-dns, at: resolver, rules: "
            "[{name: a, match: {dns.qname: x.com}, action: drop}]}\n"
            for n in range(2)
        )
        + "phases:\n  free: {}\n  block: {mts: [tspu, lies0, lies1]}",
        "x.yaml:16 phases.block.mts",
        "'lies0' and 'lies1' are both at the resolver of mts",
        "one censor",
    ),
    "nine censors on one hop": (
        "phases:\n  free: {}\n  block: {mts: tspu}",
        "".join(
            f"  box{n}: {{profile: t22, rules: [{{name: a, match: {{ports: 1}}, action: drop}}]}}\n"
            for n in range(8)
        )
        + f"phases:\n  free: {{}}\n  block: {{mts: [tspu, {', '.join(f'box{n}' for n in range(8))}]}}",
        "x.yaml:22 phases.block.mts",
        "more than 8 censors at hop 2 of mts",
        "another 'hop'",
    ),
    "diversion from the last hop": (
        "        action: rst-rewrite",
        "        action: {divert: {to4: operator}}\n    hop: 5",
        "x.yaml:15 phases.block.mts",
        "redirects traffic into mts's own network from its last hop",
        "hop: 4",
    ),
    "censor in no phase": (
        "censors:",
        "censors:\n  idle: {profile: t22, rules: [{name: a, match: {ports: 1}, action: drop}]}",
        "x.yaml:6 censors.idle",
        "'idle' is in no phase",
        "place it",
    ),
    "no such world": ("small.yaml", "smal", "x.yaml:4 world", "there is no world 'smal'", ""),
    "miss of an unused action": (
        "    profile: t22",
        "    profile: t22\n    miss: {drop: 5 %}",
        "x.yaml:8 censors.tspu.miss.drop",
        "no rule of 'tspu' has the action 'drop'",
        "rst-rewrite",
    ),
    "miss of another trigger": (
        "    profile: t22",
        "    profile: t22\n    miss: {rst-rewrite quic: 5 %}",
        "x.yaml:8 censors.tspu.miss.rst-rewrite quic",
        "no rule of 'tspu' has the action 'rst-rewrite quic'",
        "rst-rewrite",
    ),
    "miss that is no share": (
        "    profile: t22",
        "    profile: t22\n    miss: {rst-rewrite: 5}",
        "x.yaml:8 censors.tspu.miss.rst-rewrite",
        "5 is not a share",
        "0.05",
    ),
    "unknown operator chosen": (
        "world: small.yaml",
        "world: small.yaml\noperators: [mts, obbit]",
        "x.yaml:5 operators[1]",
        "unknown operator 'obbit'",
        "did you mean 'obit'?",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_says_place_value_and_remedy(case: str, desk: Desk) -> None:
    old, new, place, message, remedy = CASES[case]
    problem = desk.problem(old, new)
    assert problem.place == place
    assert message in problem.message
    assert remedy in problem.remedy


def test_operator_without_sinkhole(desk: Desk) -> None:
    desk.rule("{dns.qname: a.com}", "{dns: {a: operator}}")
    desk.path.write_text(desk.path.read_text().replace("mts: tspu", "obit: tspu"))
    problem = desk.problem()
    assert problem.place == "x.yaml:12 phases.block.obit"
    assert problem.message == "operator 'obit' has no sinkhole4 for rule 'one'"


def test_every_problem_at_once(desk: Desk) -> None:
    text = (
        desk.path.read_text()
        .replace("title:", "titel:")
        .replace("rst-rewrite", "rst-rewrit")
        .replace("outcome:", "outcom:")
    )
    desk.path.write_text(text.replace("[twitter.com]", "[https://twitter.com]"))
    desk.world("asn: 8359, kind", "asn: 0, kind")
    places = [problem.place for problem in desk.problems()]
    assert places == [
        "x.yaml:1 titel",
        "x.yaml:10 censors.tspu.rules[0].match.tls.sni[0]",
        "x.yaml:11 censors.tspu.rules[0].action",
        "x.yaml:17 expect[0].outcom",
        "small.yaml:2 operators.mts.asn",
    ]


def test_wrong_shape_does_not_hide_wrong_meaning(desk: Desk) -> None:
    """One round: what is not shaped right is stepped over, and so is what refers to it."""
    more = "  - {phase: block, vantage: mtss, target: 'https://twitter.com/', outcome: ok}\n"
    text = (
        desk.path.read_text()
        .replace("rst-rewrite", "{police: {rate: 140 kb}}")
        .replace("controls:", more + "controls:")
    )
    desk.path.write_text(
        text.replace("default_phase: block", "default_phase: blok").replace("vk.com", "vk.co")
    )
    assert [problem.place for problem in desk.problems()] == [
        "x.yaml:11 censors.tspu.rules[0].action.police.rate",
        "x.yaml:15 default_phase",
        "x.yaml:18 expect[1].vantage",
        "x.yaml:19 controls[0]",
    ]
