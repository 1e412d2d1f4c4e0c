"""What a phase changes of the world: sites and links, as written, as resolved, and as refused."""

import json

import pytest

from testbed.model import PERFECT, LinkQuality
from testbed.scenario.summary import phase_lines
from testbed.scenario.tojson import to_json
from tests.scenario.conftest import SCENARIO, Desk

PHASES = """\
phases:
  block: {mts: tspu}
  fault:
    sites:
      twitter.com: {behaviour: {status: 503}}
    links:
      mts: {backbone: {loss: 20 %, delay: 30 ms}}
      obit: {access: {dead: true}, backbone: {dead: ipv6}}
default_phase: block
"""


def write(desk: Desk, phases: str = PHASES) -> None:
    """A scenario with these phases."""
    head, _, rest = SCENARIO.partition("phases:")
    expect = rest[rest.index("expect:") :].replace("phase: all", "phase: block")
    desk.path.write_text(head + phases + expect)


def test_a_phase_has_its_own_sites_and_links(desk: Desk) -> None:
    write(desk)
    scenario = desk.load()
    before, fault = scenario.world_in("block"), scenario.world_in("fault")
    assert before is scenario.world
    assert [site.name for site in fault.sites if site not in before.sites] == ["twitter.com"]
    assert fault.site_of("twitter.com").behaviour.status == 503
    mts, obit = fault.operator("mts"), fault.operator("obit")
    assert (mts.access, mts.uplink) == (PERFECT, LinkQuality(loss=0.2, delay=0.03))
    assert (obit.access.dead, obit.uplink.dead) == ((4, 6), (6,))


def test_it_is_shown_and_in_the_json(desk: Desk) -> None:
    write(desk)
    scenario = desk.load()
    assert phase_lines(scenario.phases["fault"]) == [
        "otherwise: twitter.com",
        "mts: backbone: loss 20 %, delay 30 ms",
        "obit: access: dead; backbone: dead for IPv6",
    ]
    fault = json.loads(json.dumps(to_json(scenario)["phases"]["fault"]))
    assert [site["behaviour"] for site in fault["sites"]] == [{"status": 503}]
    assert fault["links"]["obit"]["access"]["dead"] == [4, 6]


@pytest.mark.parametrize(
    ("old", "new", "place", "message", "remedy"),
    [
        (
            "twitter.com:",
            "twiter.com:",
            "sites",
            "no site of the world is called 'twiter.com'",
            "twitter.com",
        ),
        ("obit:", "obi:", "links.obi", "no operator 'obi' takes part", "did you mean 'obit'?"),
        ("loss: 20 %", "loss: 120 %", "links.mts.backbone.loss", "'120 %'", ""),
        ("backbone: {loss", "backbones: {loss", "links.mts.backbones", "unknown key", "'backbone'"),
        ("dead: ipv6", "dead: ipv5", "links.obit.backbone.dead", "'ipv5'", "write true"),
        (
            "status: 503",
            "window: 800",
            "behaviour.window",
            "a phase cannot change it",
            "the file's own 'sites'",
        ),
    ],
)
def test_what_cannot_be_is_named(
    desk: Desk, old: str, new: str, place: str, message: str, remedy: str
) -> None:
    assert old in PHASES
    write(desk, PHASES.replace(old, new))
    problem = desk.problem()
    assert place in problem.place
    assert message in problem.message
    assert remedy in problem.remedy


def test_an_operator_that_takes_no_part_has_no_links(desk: Desk) -> None:
    write(desk, PHASES.replace("phases:", "operators: [mts]\nphases:"))
    problem = desk.problem()
    assert problem.message == "no operator 'obit' takes part"
    assert problem.remedy == "add it to 'operators'"
