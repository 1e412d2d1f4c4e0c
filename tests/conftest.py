"""What all tests share: skipping by the name of a missing feature, and seeds that are printed.

`@pytest.mark.world` needs what `testbed doctor` calls required; `@pytest.mark.world("curl", "tun")` needs
those too. With TESTBED_REQUIRE_WORLD=1 (set where machines check) a test is not skipped for a missing
feature: it fails.
"""

import os
import random
import re
import shutil
import tempfile
from functools import partial

import pytest

from testbed import doctor
from testbed.compiled import kept

SEED_VARIABLE = "TESTBED_SEED"
PART_VARIABLE = "TESTBED_PART"  # set by tools/run_tests.py: "world" or "not world"
ALL_WORLD = re.compile(r"^pytestmark = (\[[^\]]*)?pytest\.mark\.world\b", re.MULTILINE)
ABSENT = pytest.StashKey[list[doctor.Feature]]()

try:
    from hypothesis import settings
except ImportError:  # the suite runs without it, less its own tests
    pass
else:
    # A loaded machine is not a wrong program: no deadline. A failure prints how to repeat it.
    settings.register_profile("testbed", deadline=None, print_blob=True)
    settings.load_profile("testbed")


def pytest_configure(config):
    os.environ.setdefault(SEED_VARIABLE, str(random.SystemRandom().randrange(2**32)))  # workers inherit it
    if not hasattr(config, "workerinput"):  # the user's cache is not for tests; workers share this one
        folder = tempfile.mkdtemp(prefix="testbed-cache-")
        config.add_cleanup(partial(shutil.rmtree, folder, ignore_errors=True))
        os.environ["XDG_CACHE_HOME"] = folder
    kept.use()


def pytest_ignore_collect(collection_path):
    """Leave out files none of whose tests belong to the part that runs: importing them all takes long."""
    part = os.environ.get(PART_VARIABLE)
    if part is None or collection_path.suffix != ".py":
        return None
    text = collection_path.read_text("utf-8")
    other = ALL_WORLD.search(text) is not None if part == "not world" else "pytest.mark.world" not in text
    return other or None


def pytest_report_header(config):
    return f"{SEED_VARIABLE}={os.environ[SEED_VARIABLE]}"


@pytest.fixture(autouse=True)
def _seeded(request):
    """Seed `random` with the run's seed and the test's name."""
    random.seed(f"{os.environ[SEED_VARIABLE]} {request.node.nodeid}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed:
        report.sections.append(("seed", f"repeat with {SEED_VARIABLE}={os.environ[SEED_VARIABLE]}"))
    return report


@pytest.hookimpl(trylast=True)  # after -m and -k: what is deselected asks for nothing
def pytest_collection_modifyitems(items):
    needs = {item: _features(item) for item in items if item.get_closest_marker("world")}
    lacking = {feature.name: feature for feature in doctor.missing(set().union(*needs.values()))}
    for item, names in needs.items():
        item.stash[ABSENT] = [lacking[name] for name in names if name in lacking]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    if absent := item.stash.get(ABSENT, []):
        reason = f"this machine lacks: {', '.join(feature.title for feature in absent)} (testbed doctor)"
        if os.environ.get("TESTBED_REQUIRE_WORLD") == "1":
            pytest.fail(f"{reason}, and TESTBED_REQUIRE_WORLD=1", pytrace=False)
        pytest.skip(reason)


def _features(item):
    extra = [name for marker in item.iter_markers("world") for name in marker.args]
    return [*doctor.required(), *extra]
