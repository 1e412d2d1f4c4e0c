"""The profile of a censor: one of the library's, or an object in a Python file beside the scenario."""

from collections.abc import Iterator
from dataclasses import fields
from typing import get_args, get_origin, get_type_hints

from testbed.censor.cited import Cited
from testbed.censor.models import MODELS
from testbed.censor.profile import Profile
from testbed.censor.profiles import PROFILES
from testbed.errors import InputError, Problem, nearest
from testbed.scenario.plugin import Plugin, is_reference, load_object
from testbed.scenario.problems import Loc, shown
from testbed.scenario.sources import Sources


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
    """What the dataclass does not check itself: types of values, models that exist."""
    profile = plugin.value
    if profile.name in PROFILES:
        yield f"the name {profile.name!r} is a built-in profile's", 'give it its own: replace(…, name="mine")'
    hints = get_type_hints(Profile)
    for field in fields(Profile):
        value, hint = getattr(profile, field.name), hints[field.name]
        origin = get_origin(hint)
        if origin is Cited and not isinstance(value, Cited):
            yield f"{field.name} is {shown(value)}", f"write {field.name}=our_choice({value!r:.40})"
        elif hint in (str, bool) and not isinstance(value, hint):
            yield f"{field.name} is {shown(value)}", f"expected {'text' if hint is str else 'True or False'}"
        elif (
            origin is not Cited and get_args(hint) and isinstance(value, str) and value not in get_args(hint)
        ):
            yield f"{field.name} is {value!r}", f"expected one of {', '.join(map(repr, get_args(hint)))}"
    if isinstance(profile.models, Cited):
        for key, _ in profile.models.value:
            if key not in MODELS:
                yield f"unknown model {key!r}", nearest(key, MODELS)
