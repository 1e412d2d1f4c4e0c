"""The profile of a censor: one of the library's, or an object in a Python file beside the scenario."""

from collections.abc import Collection, Iterator

from testbed.censor.actions import ACTIONS
from testbed.censor.models import MODELS
from testbed.censor.profile import Profile
from testbed.censor.profiles import PROFILES
from testbed.errors import InputError, Problem, nearest
from testbed.scenario.inspection import unknown, wrong_sum
from testbed.scenario.plugin import Plugin, is_reference, load_object
from testbed.scenario.problems import Loc, shown
from testbed.scenario.sources import Sources
from testbed.scenario.typedvalues import faults_of


def profile_of(name: str, loc: Loc, sources: Sources) -> Profile | None:
    """The profile `t22`, or `boxes.py:MINE`; None if there is none (and that is noted)."""
    if name in PROFILES:
        return PROFILES[name]
    if not is_reference(name):
        sources.add(loc, f"unknown profile {name!r}", nearest(name, PROFILES))
        return None
    with sources.noting():
        place = sources.document.place(loc)
        plugin = load_object(sources.document.folder, name, place, Profile, "a profile")
        sources.used(plugin.path, plugin.digest)
        with plugin.running(place):
            problems = [Problem(place, f"{plugin.place}: {text}", remedy) for text, remedy in _faults(plugin)]
        if problems:
            raise InputError(*problems)
        return plugin.value
    return None


def _faults(plugin: Plugin[Profile]) -> Iterator[tuple[str, str]]:
    """What the dataclass does not check itself: types and bounds of values, known models, their shares."""
    profile = plugin.value
    if profile.name in PROFILES:
        yield f"the name {profile.name!r} is a built-in profile's", 'give it its own: replace(…, name="mine")'
    wrong = [*faults_of(profile)]
    yield from ((str(one), one.remedy) for one in wrong)
    if any(one.where.startswith("models") for one in wrong):
        return
    shares = profile.models.value
    for key in [key for key, _ in shares if key not in MODELS]:
        yield unknown(key)
    if len(dict(shares)) < len(shares):
        yield f"a model has several shares: {shown(shares)}", "give it one"
    elif found := wrong_sum(dict(shares)):
        yield found


def unknown_actions(profile: Profile, own: Collection[str]) -> Iterator[tuple[str, str]]:
    """Keys of residual times that no action has; `own`: keys of classes in Python files."""
    known = {*ACTIONS, *own}
    for name in ("residual", "quic_residual", "restarted"):
        for key in sorted(getattr(profile, name)):
            if key not in known:
                yield f"{name} of the profile {profile.name!r}: unknown action {key!r}", nearest(key, known)
