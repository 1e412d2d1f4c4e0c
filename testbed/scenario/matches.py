"""Match parts to matches: lists read, sites looked up, keys from Python files loaded; what can never hold."""

import json
from collections.abc import Iterator
from itertools import combinations
from typing import Any

from pydantic import TypeAdapter, ValidationError

from testbed.censor.inspect import Kind
from testbed.censor.match import KEYS, ContentKey, HeaderKey, HistoryKey, Match, MatchKey
from testbed.censor.match.key import Impossible
from testbed.errors import InputError
from testbed.scenario.listparts import with_lists_read
from testbed.scenario.matchparts import MatchModel, type_of, values_of
from testbed.scenario.plugin import Plugin, blaming_plugins, load_class
from testbed.scenario.problems import Loc, explain, shown
from testbed.scenario.sources import Sources


def build_match(part: MatchModel, loc: Loc, at: str, sources: Sources) -> Match:
    """The match of a rule; empty if something in it is wrong (and noted). `at`: where the censor is."""
    parts: list[tuple[MatchKey[Any], Any]] = []
    written: dict[str, str] = {}  # names of keys from Python files -> how the scenario writes them
    given = values_of(part)
    for name, parsed in given.items():
        with sources.noting():
            parts.append((KEYS[name], with_lists_read(parsed, (*loc, name), sources)))
    for reference, raw in part.plugins.items():
        with sources.noting():
            taken = [key.name for key, _ in parts]
            for own in _own_part(reference, raw, (*loc, reference), taken, sources):
                parts.append(own)
                written[own[0].name] = reference
    match = Match(parts)
    for key, value in match.parts:
        place = sources.document.place((*loc, written.get(key.name, key.name)))
        with sources.noting(), blaming_plugins(place):
            for found in key.faults(value, match):
                steps, message, remedy = _impossible(found, key, place)
                at_key = [written.get(str(step), step) for step in steps[:1]]
                sources.add((*loc, *at_key, *steps[1:]), message, remedy)
    if len(parts) != len(given) + len(part.plugins):
        return Match()
    _check_whole(match, loc, at, sources)
    return match


def _own_part(
    reference: str, raw: Any, loc: Loc, taken: list[str], sources: Sources
) -> Iterator[tuple[MatchKey[Any], Any]]:
    """A key from a Python file with its value; none if the value is wrong (and noted)."""
    place = sources.document.place(loc)
    plugin = load_class(sources.document.folder, reference, place, MatchKey, "a match key")
    sources.used(plugin.path, plugin.digest)
    with plugin.running(place):
        key = _own_key(plugin, place, taken)
        try:
            parsed = TypeAdapter(type_of(key)).validate_python(raw, strict=True)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                sources.add((*loc, *detail["loc"]), *explain(detail, type_of(key)))
            return
        value = with_lists_read(parsed, loc, sources)
        _try_out(key, value)
    yield key, value


def _own_key(plugin: Plugin[type[MatchKey[Any]]], place: str, taken: list[str]) -> MatchKey[Any]:
    """The key of a class. InputError for what the loader cannot know to be wrong."""
    kind = plugin.value
    if not issubclass(kind, ContentKey | HeaderKey | HistoryKey):
        message = f"{plugin.place}: {kind.__name__} is neither a ContentKey, a HeaderKey nor a HistoryKey"
        raise InputError.at(place, message, "derive it from one of these of testbed.censor.match")
    if kind.name in KEYS or kind.name in taken:
        whose = "a built-in key" if kind.name in KEYS else "another key of this rule"
        message = f"{plugin.place}: {whose} has the name {kind.name!r}"
        raise InputError.at(place, message, "give the class another name")
    if issubclass(kind, ContentKey):
        kinds = getattr(kind, "kinds", None)
        if not isinstance(kinds, frozenset) or not kinds or not all(isinstance(each, Kind) for each in kinds):
            message = f"{plugin.place}: the kinds of {kind.__name__} are {shown(kinds)}"
            known = ", ".join(f"Kind.{each.name}" for each in Kind)
            raise InputError.at(place, message, f"write kinds = frozenset({{…}}) of {known}")
    return kind()


def _impossible(found: object, key: MatchKey[Any], place: str) -> Impossible:
    """What a key says against its value. A class of one's own may yield anything."""
    match found:
        case (tuple() as steps, str(message), str(remedy)):
            return Impossible(steps, message, remedy)
    shape = "yield Impossible((), what is wrong, what to write instead)"
    raise InputError.at(place, f"faults() of {type(key).__name__} yields {shown(found)}", shape)


def _try_out(key: MatchKey[Any], value: Any) -> None:
    """Call what a run and a report will call, so that what raises does so here."""
    match = Match([(key, value)])
    key.compile(value)
    key.covers(value, match)
    json.dumps(key.to_json(value))


def _check_whole(match: Match, loc: Loc, at: str, sources: Sources) -> None:
    """Note why the keys can never hold together."""
    content = [key for key, _ in match.content_parts]
    if not match:
        sources.add(loc, "the rule looks for nothing", f"give it one of {', '.join(KEYS)}")
    for first, second in combinations(content, 2):
        if first.kinds & second.kinds:
            continue
        pair = f"both {first.name} and {second.name}"
        never = first.exclusive and second.exclusive
        why = f"the rule can never match: no packet shows {pair}" if never else f"a rule cannot have {pair}"
        remedy = "write one rule for each"
        if "protocol" in match and (names := [key.name for key in (first, second) if key.exclusive]):
            remedy = f"leave protocol out; {names[0]} on every port is written with ports: any"
        sources.add(loc, why, remedy)
        break
    if at == "resolver" and not (content and all(key.at_resolver for key in content)):
        names = [key.name for key in KEYS.values() if isinstance(key, ContentKey) and key.at_resolver]
        message = "the rule can never match: a resolver sees DNS queries only"
        sources.add(loc, message, f"use {' or '.join(names)}, or at: hop")
    elif at == "resolver":
        for key in (key for key, _ in match.parts if key not in content):
            message = f"{key.name} is about packets, and a resolver sees only what is asked"
            sources.add((*loc, key.name), message, "leave it out, or write at: hop")
