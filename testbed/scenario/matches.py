"""Match parts to matches: lists read, sites looked up, keys from Python files loaded; what can never hold."""

from typing import Any

from pydantic import TypeAdapter, ValidationError

from testbed.censor.match import KEYS, ContentKey, HeaderKey, Match, MatchKey
from testbed.errors import InputError
from testbed.scenario.listparts import with_lists_read
from testbed.scenario.matchparts import MatchModel, type_of, values_of
from testbed.scenario.plugin import Plugin, load_class
from testbed.scenario.problems import Loc, explain
from testbed.scenario.sources import Sources


def build_match(part: MatchModel, loc: Loc, at: str, sources: Sources) -> Match:
    """The match of a rule; empty if something in it is wrong (and noted). `at`: where the censor is."""
    parts: list[tuple[MatchKey[Any], Any]] = []
    wrong = False
    for name, parsed in values_of(part).items():
        try:
            parts.append((KEYS[name], with_lists_read(parsed, (*loc, name), sources)))
        except InputError as error:
            sources.problems.found.extend(error.problems)
            wrong = True
    for reference, raw in part.plugins.items():
        own = _own_key(reference, raw, (*loc, reference), {key.name for key, _ in parts}, sources)
        parts += [own] if own else []
        wrong = wrong or own is None
    match = Match(parts)
    for key, value in match.parts:
        for fault in key.faults(value, match):
            sources.add((*loc, *fault.at), fault.message, fault.remedy)
    if wrong:
        return Match()
    _check_whole(match, loc, at, sources)
    return match


def _own_key(
    reference: str, raw: Any, loc: Loc, taken: set[str], sources: Sources
) -> tuple[MatchKey[Any], Any] | None:
    """A key from a Python file with its value; None if something is wrong (and noted)."""
    place = sources.document.place(loc)
    try:
        plugin = load_class(sources.document.folder, reference, place, MatchKey, "a match key")
        sources.used(plugin.path, plugin.digest)
        with plugin.running(place):
            key = _made(plugin, place, taken)
            try:
                parsed = TypeAdapter(type_of(key)).validate_python(raw, strict=True)
            except ValidationError as error:
                for detail in error.errors(include_url=False):
                    sources.add((*loc, *detail["loc"]), *explain(detail, type_of(key)))
                return None
            value = with_lists_read(parsed, loc, sources)
            Match([(key, value)])
            key.compile(value), key.to_json(value), key.description
            return key, value
    except InputError as error:
        sources.problems.found.extend(error.problems)
    return None


def _made(plugin: Plugin[type[MatchKey[Any]]], place: str, taken: set[str]) -> MatchKey[Any]:
    """The key itself, whatever the loader cannot see in its class checked."""
    kind = plugin.value
    if not issubclass(kind, ContentKey | HeaderKey):
        message = f"{plugin.place}: {kind.__name__} is neither a ContentKey nor a HeaderKey"
        raise InputError.at(place, message, "derive it from one of these of testbed.censor.match")
    if kind.name in KEYS or kind.name in taken:
        whose = "a built-in key" if kind.name in KEYS else "another key of this match"
        raise InputError.at(
            place, f"{plugin.place}: {whose} has the name {kind.name!r}", "give the class another name"
        )
    return kind()


def _check_whole(match: Match, loc: Loc, at: str, sources: Sources) -> None:
    """Note why the keys can never hold together."""
    content = [key for key, _ in match.content_parts]
    if not match:
        sources.add(loc, "the rule looks for nothing", f"give it one of {', '.join(KEYS)}")
    if len(content) > 1 and not content[0].kinds & content[1].kinds:
        pair = f"both {content[0].name} and {content[1].name}"
        never = content[0].exclusive and content[1].exclusive
        why = f"the rule can never match: no packet shows {pair}" if never else f"a rule cannot have {pair}"
        sources.add(loc, why, "write one rule for each")
    if at == "resolver" and not (content and all(key.at_resolver for key in content)):
        names = [key.name for key in KEYS.values() if isinstance(key, ContentKey) and key.at_resolver]
        message = "the rule can never match: a resolver sees DNS queries only"
        sources.add(loc, message, f"use {' or '.join(names)}, or at: hop")
