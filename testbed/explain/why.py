"""Why a flow fared as it did, by each censor on its way."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from testbed.explain.phrases import matched_by
from testbed.explain.whynot import AskedFor, left_alone

_EXEMPTS: Final = ("allow",)  # actions that stop nothing
_SHOWN_RULES: Final = 12  # of one censor; our choice


def reasons(
    placements: Sequence[Mapping[str, Any]],
    events: Sequence[Mapping[str, Any]],
    acts: Mapping[str, Mapping[str, int]],
    flow: AskedFor | None,
) -> list[str]:
    """A sentence or more for each censor, in the order in which they are passed."""
    found = []
    for place in placements:
        mine = [one for one in events if one.get("censor") == place["name"]]
        if mine:
            found += [words for event in mine for words in _of_event(event, place, acts)]
        elif flow is not None:
            found.append(f"{place['name']} left it alone: {_left_alone(place, flow)}")
    return found or ["there is no censor on its way"]


def match_of(place: Mapping[str, Any], rule: str) -> Mapping[str, Any]:
    """What a rule of a censor looks for; {} if there is no such rule."""
    return next((one["match"] for one in place.get("rules", ()) if one["name"] == rule), {})


def _left_alone(place: Mapping[str, Any], flow: AskedFor) -> str:
    found = list(left_alone(place["rules"], flow))
    more = [f"and {len(found) - _SHOWN_RULES} more rules"] if len(found) > _SHOWN_RULES else []
    return "; ".join([*found[:_SHOWN_RULES], *more])


def _of_event(
    event: Mapping[str, Any], place: Mapping[str, Any], acts: Mapping[str, Mapping[str, int]]
) -> Iterator[str]:
    censor, rule, detail = place["name"], event.get("rule", ""), event.get("detail", {})
    action, packets = detail.get("action"), acts.get(f"{censor}/{rule}", {}).get("kernel", 0)
    kind = event.get("kind")
    if kind == "unread":
        yield f"{censor} did not stop it: {detail.get('why')} ({place['profile']}, rule {rule})"
    elif kind == "miss":
        yield f"{censor} did not stop it: the box missed rule {rule}, as its share of misses says"
    elif kind != "match":
        return
    elif action in _EXEMPTS:
        fields = matched_by(detail, match_of(place, str(rule)))
        yield f"{censor} did not stop it: rule {rule} exempts it ({fields})"
    elif packets:
        yield f"{censor} interfered: rule {rule} ({action}) acted on {packets} of its packets"
    elif place["at"] == "resolver":
        yield f"{censor} lied: rule {rule} ({action}) answered in place of the truth"
    else:
        yield f"rule {rule} of {censor} matched and changed nothing"
