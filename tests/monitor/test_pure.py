"""What a monitor makes of its samples, without a network: states, incidents, the truth, the journal."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from testbed import __version__
from testbed.errors import InputError
from testbed.measurement.kinds import parse
from testbed.model import OUTSIDE, Expectation, Phase, Placement
from testbed.monitor.against import ExpectedStates, compare
from testbed.monitor.detector import _word, must_have_a_place
from testbed.monitor.diagnose import diagnosed
from testbed.monitor.incidents import Incident, incidents
from testbed.monitor.instants import instants, usual_interval
from testbed.monitor.journal import Journal, Settings
from testbed.monitor.levels import connectivity, heat_map
from testbed.monitor.sample import STATES, Sample, State
from testbed.scenario.loader import load
from testbed.scenario.story import PhaseSpan, Story, story

HOUR = timedelta(hours=1)
BLOCKED, FINE, CONTROL = "https://twitter.com/", "https://www.facebook.com/", "https://vk.com/"


def at(day: int, hour: int = 0) -> datetime:
    return datetime(2022, 3, day, hour, tzinfo=UTC)


def written(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"


@pytest.fixture(scope="module")
def two() -> Story:
    """Free on the first of March; from the second on mts blocks one of two targets."""
    free = load("free-network")
    block = load("twitter-facebook-block-2022-03").phases["block"].placements
    mts = next(one for one in block if one.operator == "mts")
    scenario = replace(
        free,
        phases={
            "free": Phase(start=at(1), end=at(2)),
            "block": Phase(placements=(Placement("mts", mts.policy),), start=at(2), end=at(4)),
        },
        expect=(
            Expectation("free", "mts", parse(BLOCKED), "ok"),
            Expectation("block", "mts", parse(BLOCKED), "tls.sni.rst", by="social-reset"),
        ),
        controls=(parse(CONTROL),),
    )
    return Story(scenario, (PhaseSpan("free", at(1), at(2)), PhaseSpan("block", at(2), at(4))))


def series(story: Story, states: dict[tuple[str, str], Sequence[State]], every: timedelta) -> list[Sample]:
    """Samples from the states of each cell, one after another."""
    made = []
    for number, time in enumerate(instants(story, every)):
        for (vantage, target), given in states.items():
            label = {"ok": "ok", "slow": "throttle", "blocked": "tls.sni.rst"}.get(
                given[number], given[number]
            )
            phase = story.at(time).phase
            made.append(Sample(time=written(time), phase=phase, vantage=vantage, target=target,
                               state=given[number], label=label))  # fmt: skip
    return made


# -- when


@pytest.mark.parametrize(
    ("said", "refusal"),
    [
        ({"label": "nonsense"}, "it said the label 'nonsense', which is none"),
        ({"label": "tls.sni.rts"}, "which is none; did you mean 'tls.sni.rst'?"),
        ({"label": []}, "it said the label [], which is none"),
        ({"label": "throttle", "rate": "fast"}, "it said the rate 'fast'; a rate is a number, in bit/s"),
    ],
)
def test_what_is_no_label_of_a_detector(said: dict[str, object], refusal: str) -> None:
    assert _word({"label": "throttle", "rate": 140e3}) == ("throttle", 140e3)
    assert _word({"label": "failed"}) == ("failed", None)
    with pytest.raises(InputError) as refused:
        _word(said)
    assert refusal in str(refused.value)


def test_instants_go_from_the_beginning_to_just_before_the_end(two: Story) -> None:
    assert instants(two, 24 * HOUR) == (at(1), at(2), at(3))
    assert len(instants(two, 6 * HOUR)) == 12


def test_the_usual_interval_makes_neither_too_many_nor_too_few(two: Story) -> None:
    assert usual_interval(two) == 3 * HOUR
    block = story([load("twitter-facebook-2022-02"), load("twitter-facebook-block-2022-03")], until=at(30))
    assert usual_interval(block) == 24 * HOUR
    assert len(instants(block, usual_interval(block))) <= 48


@pytest.mark.parametrize(
    ("every", "said"), [(HOUR / 60, "is too short"), (99 * HOUR, "is longer than the story")]
)
def test_intervals_that_make_no_sense_are_refused(two: Story, every: timedelta, said: str) -> None:
    with pytest.raises(InputError, match=said):
        instants(two, every)


# -- what it was


@pytest.mark.parametrize(
    ("labels", "state"),
    [
        ({("mts", BLOCKED): "tls.sni.drop"}, "blocked"),
        ({("mts", BLOCKED): "throttle"}, "slow"),
        ({("mts", BLOCKED): "tls.sni.drop", ("mts", CONTROL): "ip.drop"}, "outage"),
        (
            {("mts", BLOCKED): "tls.sni.rst", ("mts", CONTROL): "ip.drop"},
            "blocked",
        ),  # nobody resets in an outage
        ({("mts", BLOCKED): "broken", (OUTSIDE, BLOCKED): "broken"}, "down"),
        ({("mts", BLOCKED): "failed", (OUTSIDE, BLOCKED): "failed"}, "down"),
        ({("mts", BLOCKED): "refused"}, "refused"),
        # Behind a portal somebody else answers for the controls, too; silence there is none of it.
        ({("mts", BLOCKED): "http.page", ("mts", CONTROL): "tls.mitm"}, "portal"),
        ({("mts", BLOCKED): "tls.mitm", ("mts", CONTROL): "portal"}, "portal"),
        ({("mts", BLOCKED): "tls.mitm"}, "blocked"),
        ({("mts", BLOCKED): "tls.sni.rst", ("mts", CONTROL): "tls.mitm"}, "blocked"),
        (
            {("mts", BLOCKED): "tls.mitm", ("mts", CONTROL): "tls.mitm", (OUTSIDE, CONTROL): "broken"},
            "blocked",
        ),
        ({("mts", BLOCKED): "failed"}, "blocked"),
        ({("mts", BLOCKED): "failed", ("mts", CONTROL): "failed"}, "outage"),
        # A control that is down for everybody shows no outage.
        ({("mts", BLOCKED): "failed", ("mts", CONTROL): "failed", (OUTSIDE, CONTROL): "failed"}, "blocked"),
    ],
)
def test_a_block_an_outage_and_a_dead_site_are_told_apart(
    labels: dict[tuple[str, str], str], state: State
) -> None:
    fine = {("mts", CONTROL): "ok", (OUTSIDE, BLOCKED): "ok", (OUTSIDE, CONTROL): "ok"}
    assert diagnosed({**fine, **labels}, {CONTROL})["mts", BLOCKED] == state


@pytest.mark.parametrize(
    ("sealed", "state"), [("refused", "refused"), ("tls.sni.rst", "blocked"), ("ok", "blocked")]
)
def test_another_page_over_http_is_the_servers_if_it_gives_it_over_tls_too(sealed: str, state: State) -> None:
    page = BLOCKED.replace("https", "http")
    labels = {
        ("mts", page): "http.page",
        ("mts", BLOCKED): sealed,
        (OUTSIDE, page): "ok",
        (OUTSIDE, BLOCKED): "ok",
    }
    assert diagnosed(labels, ())["mts", page] == state


def test_outside_a_server_that_others_reach_refuses() -> None:
    labels = {(OUTSIDE, BLOCKED): "failed", ("mts", BLOCKED): "ok"}
    assert diagnosed(labels, ())[OUTSIDE, BLOCKED] == "refused"
    assert diagnosed({**labels, ("mts", BLOCKED): "failed"}, ())[OUTSIDE, BLOCKED] == "down"
    # The probe has seen whether the server turned it away.
    assert diagnosed({**labels, (OUTSIDE, BLOCKED): "refused"}, ())[OUTSIDE, BLOCKED] == "refused"
    assert diagnosed({**labels, (OUTSIDE, BLOCKED): "broken"}, ())[OUTSIDE, BLOCKED] == "down"


# -- since when


def test_an_onset_lies_between_the_last_good_and_the_first_bad(two: Story) -> None:
    states: list[State] = [
        "ok",
        "ok",
        "ok",
        "ok",
        "blocked",
        "blocked",
        "slow",
        "slow",
        "ok",
        "ok",
        "ok",
        "slow",
    ]
    found = incidents(series(two, {("mts", BLOCKED): states}, 6 * HOUR))
    assert [(one.kind, one.last_before, one.first, one.last, one.first_after) for one in found] == [
        ("blocked", written(at(1, 18)), written(at(2)), written(at(2, 6)), written(at(2, 12))),
        ("slow", written(at(2, 6)), written(at(2, 12)), written(at(2, 18)), written(at(3))),
        ("slow", written(at(3, 12)), written(at(3, 18)), written(at(3, 18)), None),
    ]


def test_an_outage_or_a_portal_is_one_of_its_operator_and_a_dead_site_one_of_the_site(two: Story) -> None:
    out: list[State] = ["ok", "outage", "ok"]
    down: list[State] = ["ok", "down", "down"]
    caught: list[State] = ["ok", "ok", "portal"]
    states = {("mts", BLOCKED): out, ("mts", CONTROL): out, ("mts", FINE): down, ("beeline", FINE): down,
              (OUTSIDE, FINE): down, ("yota", BLOCKED): caught, ("yota", CONTROL): caught}  # fmt: skip
    found = incidents(series(two, states, 24 * HOUR))
    assert [(one.kind, one.vantage, one.target, one.samples) for one in found] == [
        ("down", "", FINE, 6),
        ("outage", "mts", "", 2),
        ("portal", "yota", "", 2),
    ]


# -- against the truth


def judged(two: Story, states: list[State], control: list[State] | None = None) -> dict[str, int]:
    cells: dict[tuple[str, str], Sequence[State]] = {("mts", BLOCKED): states}
    if control is not None:
        cells["mts", CONTROL] = control
    samples = series(two, cells, 12 * HOUR)
    found = compare(samples, incidents(samples), ExpectedStates(two), 12 * HOUR)
    counts = {
        name: len(value) for name, value in found.to_json().items() if isinstance(value, tuple) and value
    }
    return counts | {"agreeing": found.agreeing}


B: State = "blocked"


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (["ok", "ok", B, B, B, B], {"onsets": 1, "agreeing": 6}),
        (["ok", "ok", "slow", "slow", "slow", "slow"], {"mistaken": 4, "agreeing": 2}),
        (["ok", "ok", "ok", B, B, B], {"missed": 1, "onsets": 1, "late": 1, "agreeing": 5}),
        (["ok", B, B, B, B, B], {"false_alarms": 1, "agreeing": 5}),
        (["ok", "ok", "outage", B, B, B], {"mistaken": 1, "onsets": 1, "late": 1, "agreeing": 5}),
        (["ok", "ok", "hung", B, B, B], {"hung": 1, "onsets": 1, "late": 1, "agreeing": 5}),
        (["down", "ok", B, B, B, B], {"mistaken": 1, "onsets": 1, "agreeing": 5}),
    ],
)
def test_each_fault_is_found(two: Story, states: list[State], expected: dict[str, int]) -> None:
    assert judged(two, states) == expected


def test_an_alarm_at_a_control_is_false(two: Story) -> None:
    right: list[State] = ["ok", "ok", "blocked", "blocked", "blocked", "blocked"]
    wrong: list[State] = ["ok", "ok", "ok", "ok", "ok", "slow"]
    assert judged(two, right, control=wrong)["false_alarms"] == 1


OTHER = "https://www.wikipedia.org/"  # nobody writes what is expected of it; the rules of MTS do not know it


@pytest.mark.parametrize(
    ("target", "state", "acted", "fault"),
    [
        (OTHER, "blocked", (), "false_alarms"),
        (OTHER, "blocked", ("mts/tspu/x",), "false_alarms"),  # a rule that acts where it should not
        (OTHER, "ok", (), None),
        (FINE, "blocked", ("mts/tspu/x",), None),  # Facebook is on the list
        (FINE, "ok", (), "missed"),
        (FINE, "outage", (), "mistaken"),
    ],
)
def test_where_the_scenario_writes_nothing_its_rules_are_asked(
    two: Story, target: str, state: State, acted: tuple[str, ...], fault: str | None
) -> None:
    one = Sample(time=written(at(3)), phase="block", vantage="mts", target=target, state=state,
                 label="ip.drop", acted=acted)  # fmt: skip
    expected = ExpectedStates(two, [parse(target)])
    found = compare([one], (), expected, HOUR)
    lists = {name: value for name, value in found.to_json().items() if isinstance(value, tuple) and value}
    assert (found.judged, list(lists)) == (1, [fault] if fault else [])
    assert ExpectedStates(two).at("block", "mts", target) is None, "a target that is not watched"


def test_faults_that_are_nobodys_block_are_asked_for_as_well() -> None:
    """The expectations are left out: what is said comes from rules, links and servers alone."""
    friends = replace(load("false-friends"), expect=())
    targets = [parse(url) for url in (BLOCKED, CONTROL, "http://example.com/", "https://example.com/",
                                      "https://www.linkedin.com/", "https://meduza.io/")]  # fmt: skip
    told = replace(friends, controls=())
    states = ExpectedStates(Story(told, ()), targets)
    assert {
        (phase, vantage, url): set(states.at(phase, vantage, url) or ()) for phase, vantage, url in ASKED
    } == ASKED
    six = ExpectedStates(Story(told, ()), targets, 6)
    assert six.at("broken-ipv6", "mts", BLOCKED) == {"outage"}
    assert six.at("broken-ipv6", "rostelecom", BLOCKED) == {"ok"}
    portal = ExpectedStates(Story(friends, ()), targets)  # a portal shows itself at the controls
    assert portal.at("portal", "mts", BLOCKED) == {"portal"}
    assert portal.at("portal", "rostelecom", BLOCKED) == {"ok"}


ASKED = {
    ("broken-ipv6", "mts", BLOCKED): {"ok"},
    ("portal", "mts", BLOCKED): {"blocked"},
    ("refused-by-country", "mts", "https://example.com/"): {"refused"},
    ("refused-by-country", "mts", "http://example.com/"): {"refused"},
    ("refused-by-country", OUTSIDE, "https://example.com/"): {"ok"},
    ("expired-certificate", "mts", "https://www.linkedin.com/"): {"down"},
    ("expired-certificate", OUTSIDE, "https://www.linkedin.com/"): {"down"},
    ("overloaded", "mts", "https://meduza.io/"): {"ok", "down"},
    ("overloaded", OUTSIDE, "https://meduza.io/"): {"ok", "down"},
    ("overloaded", "mts", "https://www.linkedin.com/"): {"ok"},
}


# -- what the pictures show


def test_connectivity_is_a_share_of_the_operators_best(two: Story) -> None:
    states: dict[tuple[str, str], Sequence[State]] = {
        ("mts", BLOCKED): ["ok", "blocked", "slow"],
        ("mts", CONTROL): ["ok", "ok", "ok"],
        ("mts", FINE): ["ok", "down", "ok"],  # says nothing of the operator
    }
    samples = series(two, states, 24 * HOUR)
    samples[-3] = replace(samples[-3], rate=1e5, outside_rate=4e5)
    assert [(one.time[:10], round(one.share, 3)) for one in connectivity(samples)] == [
        ("2022-03-01", 1.0),
        ("2022-03-02", 0.5),
        ("2022-03-03", 0.75),
    ]


def test_the_map_has_rows_for_what_ever_failed_somewhere(two: Story) -> None:
    states: dict[tuple[str, str], Sequence[State]] = {
        (vantage, target): ["ok", "blocked", "blocked"]
        if (vantage, target) == ("mts", BLOCKED)
        else ["ok"] * 3
        for vantage in ("mts", OUTSIDE, "beeline")
        for target in (BLOCKED, FINE)
    }
    grid = heat_map(series(two, states, 24 * HOUR))
    assert grid.rows == (("mts", BLOCKED), ("beeline", BLOCKED), (OUTSIDE, BLOCKED))
    assert grid.cells[0] == (0, STATES.index("blocked"), STATES.index("blocked"))
    assert grid.always == (FINE,)


# -- the journal


SETTINGS = Settings(scenarios=("free-network",), every=3600.0, vantages=("mts",), targets=(BLOCKED,))
ONE = Sample(
    time=written(at(1)), phase="free", vantage="mts", target=BLOCKED, state="ok", label="ok", acted=("a/b",)
)


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    Journal.create(tmp_path / "m", SETTINGS).add(ONE.time, "free", [ONE], {"seconds": 1.0})
    journal, settings = Journal.open(tmp_path / "m")
    assert (settings, journal.samples(), journal.done()) == (SETTINGS, [ONE], [ONE.time])


@pytest.mark.parametrize("cut", ["", '{"time": "2022-03-02T00:00'])
def test_an_instant_that_was_not_completed_is_dropped(tmp_path: Path, cut: str) -> None:
    journal = Journal.create(tmp_path, SETTINGS)
    journal.add(ONE.time, "free", [ONE], {})
    second = replace(ONE, time=written(at(2)))
    with (tmp_path / "samples.jsonl").open("a") as file:
        file.write(json.dumps(second.to_json()) + "\n" + cut)
    again, _ = Journal.open(tmp_path)
    assert (again.samples(), again.done()) == ([ONE], [ONE.time])
    again.add(second.time, "free", [second], {})
    assert again.samples() == [ONE, second]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "has no monitor.json; name a monitor's folder"),
        ('{"format": "other"}', "is not a monitor's"),
        (
            '{"format": "testbed-monitor", "version": 99}',
            "made by another testbed: version 99, this one has 1",
        ),
        (
            '{"format": "testbed-monitor", "version": 1, "testbed": "0.0.1"}',
            f"was begun by testbed 0.0.1, and this is {__version__}; watch anew in another folder",
        ),
        (
            json.dumps({"format": "testbed-monitor", "version": 1, "testbed": __version__, "vantages": []}),
            "monitor.json: 'scenarios'",
        ),
    ],
)
def test_another_folder_is_refused(tmp_path: Path, content: str | None, said: str) -> None:
    if content is not None:
        (tmp_path / "monitor.json").write_text(content)
    with pytest.raises(InputError) as error:
        Journal.open(tmp_path)
    assert said in str(error.value)


def test_a_scenario_that_has_changed_is_refused(tmp_path: Path) -> None:
    free = load("free-network")
    journal = Journal.create(tmp_path, SETTINGS)
    with pytest.raises(InputError, match=r"another than when it was begun: free-network\.yaml"):
        journal.must_be_of(free, SETTINGS)
    journal.must_be_of(free, replace(SETTINGS, files=dict(free.files)))


@pytest.mark.parametrize(
    ("command", "said"), [("curl -sS", "has no {target}"), ("curl '{target}", "No closing")]
)
def test_a_detector_needs_a_place_for_its_target(command: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        must_have_a_place(command)


def test_an_incident_is_plain_json() -> None:
    one = Incident(kind="slow", vantage="mts", target=FINE, labels=("throttle",), last_before=None,
                   first="a", last="b", first_after=None, samples=1, phase="free")  # fmt: skip
    assert json.loads(json.dumps(one.to_json()))["labels"] == ["throttle"]
