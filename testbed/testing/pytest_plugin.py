"""The pytest plug-in; pytest finds it by the entry point. What it offers: docs/pytest.md.

It imports the rest of testbed only for tests that have the marker.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from testbed.run.open import StandingWorld
    from testbed.testing.capturing import VantageCapture
    from testbed.testing.cases import ScenarioCase
    from testbed.testing.sharedworlds import OpenWorlds, TestVantage
    from testbed.truth.expected import Truth

_WORLDS = pytest.StashKey["OpenWorlds"]()
_CASE = pytest.StashKey["ScenarioCase"]()
_MARKER = (
    "scenario(name, phase=…, vantage=…, model=…, seed=…, time_scale=…): the world of a test (testbed). "
    "phase, vantage and model may be lists, phase and vantage also 'all'."
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where run folders go."""
    group = parser.getgroup("testbed")
    group.addoption(
        "--testbed-folder",
        metavar="DIR",
        help="where the run folders of worlds are, which are kept after a failure; default: the system's "
        "temporary folder",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line("markers", _MARKER)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test for each phase, vantage and model of the marker."""
    marker = metafunc.definition.get_closest_marker("scenario")
    if marker is None:
        return
    _require_use(metafunc)
    from testbed.errors import InputError
    from testbed.testing.cases import cases_of

    try:
        found = list(cases_of(marker.args, marker.kwargs))
    except InputError as error:
        raise pytest.UsageError(f"{metafunc.definition.nodeid}: {error}") from error
    made = [pytest.param(case, id=name or case.phase) for case, name in found]
    metafunc.parametrize("scenario_case", made, indirect=True)


def _require_use(metafunc: pytest.Metafunc) -> None:
    """UsageError if nothing of a test with the marker would be in its world, or two markers are its own."""
    definition = metafunc.definition
    if "scenario_case" not in metafunc.fixturenames:
        raise pytest.UsageError(
            f"{definition.nodeid} has the marker scenario and none of its fixtures: it would run on this "
            "machine's own network; take `vantage` as an argument, and run commands by it"
        )
    if sum(marker.name == "scenario" for marker in definition.own_markers) > 1:
        raise pytest.UsageError(
            f"{definition.nodeid} has the marker scenario twice; give lists of phases and vantages in one"
        )


def _case_of(item: pytest.Item) -> "ScenarioCase | None":
    callspec = getattr(item, "callspec", None)
    return callspec.params.get("scenario_case") if callspec else None


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """A world has every vantage that a test of this session asks for, so that all of them can share it."""
    needed: dict[tuple[Any, ...], set[str]] = {}
    for item in session.items:
        if (case := _case_of(item)) is not None:
            needed.setdefault(case.world, set()).add(case.vantage)
    if needed:
        _worlds(session.config).vantages = needed


def pytest_sessionfinish(session: pytest.Session) -> None:
    """End the worlds."""
    worlds = session.config.stash.get(_WORLDS, None)
    if worlds is not None:
        worlds.close_all()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Say with a failure how to repeat it and where everything was recorded."""
    report = yield
    case, worlds = item.stash.get(_CASE, None), item.config.stash.get(_WORLDS, None)
    if report.failed and case is not None and worlds is not None:
        folder = worlds.keep(case)
        from testbed.scenario.loader import load

        seed = case.seed if case.seed is not None else load(case.scenario).seed
        lines = [f"scenario {case.scenario}, phase {case.phase}, vantage {case.vantage}, seed {seed}"]
        lines += [f"recorded in {folder}"] if folder else []
        report.sections.append(("testbed", "\n".join(lines)))
    return report


@pytest.fixture
def scenario_case(request: pytest.FixtureRequest) -> "ScenarioCase":
    """Which scenario, phase and vantage this test is about."""
    case: ScenarioCase | None = getattr(request, "param", None)
    if case is None:
        pytest.fail("the fixtures of testbed need @pytest.mark.scenario(NAME, …)", pytrace=False)
    request.node.stash[_CASE] = case
    return case


@pytest.fixture
def world(scenario_case: "ScenarioCase", request: pytest.FixtureRequest) -> Iterator["StandingWorld"]:
    """The held world, in the test's phase; its censors remember nothing of other tests."""
    from testbed.errors import InvalidRunError, UnsupportedError

    worlds = _worlds(request.config)
    try:
        found = worlds.enter(scenario_case)
    except UnsupportedError as error:
        pytest.skip(f"this machine lacks a feature: {error}")
    except InvalidRunError as error:
        pytest.fail(f"the laboratory failed: {error}", pytrace=False)
    yield found
    if problems := worlds.problems(scenario_case):
        pytest.fail("the laboratory failed, whatever the test saw:\n" + "\n".join(problems), pytrace=False)


@pytest.fixture
def vantage(world: "StandingWorld", scenario_case: "ScenarioCase") -> "TestVantage":
    """The subscriber: `run([...])` as `subprocess.run`, `call(function)`."""
    from testbed.testing.sharedworlds import TestVantage

    return TestVantage(world, scenario_case)


@pytest.fixture
def truth(vantage: "TestVantage") -> "Mapping[str, Truth]":
    """What must be seen from this vantage: by target URL."""
    return vantage.truth


@pytest.fixture
def receipts(world: "StandingWorld", scenario_case: "ScenarioCase") -> Any:
    """A function: what each rule did until now, as the kernel counted it. It starts the censors anew."""

    def read() -> dict[str, int]:
        return dict(world.phase(scenario_case.phase, fresh=True).fired)

    return read


@pytest.fixture
def captures(
    world: "StandingWorld", scenario_case: "ScenarioCase", request: pytest.FixtureRequest
) -> "Iterator[VantageCapture]":
    """A function: the packets at the vantage since the test began. It ends the capture."""
    from testbed.testing.capturing import capturing

    name = re.sub(r"[^\w.-]+", "-", request.node.name)
    with capturing(world.name, scenario_case.vantage, world.folder / f"{name}.pcapng") as found:
        yield found


def _worlds(config: pytest.Config) -> "OpenWorlds":
    if _WORLDS not in config.stash:
        from testbed.testing.sharedworlds import OpenWorlds

        folder = config.getoption("--testbed-folder")
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
        config.stash[_WORLDS] = OpenWorlds(Path(folder) if folder else None)
    return config.stash[_WORLDS]
