"""Generate the parameter tables of docs/mechanisms from the actions' code: python tools/mechanisms.py."""

import inspect
import re
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any, get_args, get_origin

from testbed.censor.actions import ACTIONS
from testbed.censor.actions.base import Action
from testbed.censor.profiles import PROFILES
from testbed.censor.units import Between

FOLDER = Path(__file__).resolve().parents[1] / "docs/mechanisms"
END = "<!-- end -->"
_PLACE = re.compile(r"(<!-- python tools/mechanisms\.py: ([\w-]+) -->).*?" + re.escape(END), re.DOTALL)
_MEANINGS = {  # of parameters without a comment in the code
    "to4": "the other server for IPv4; `operator`: the operator's own resolver",
    "to6": "the same for IPv6",
    "a": "forged IPv4 addresses; `operator`: the operator's own sinkholes",
    "aaaa": "forged IPv6 addresses",
    "ip_id": "left out: the profile's",
    "window": "left out: the profile's",
    "status": "HTTP status",
    "body": "the page itself, if there is no redirect",
    "packets": "packets that pass; with neither given 25 (DPICH)",
    "prefix6": "the same for IPv6",
    "idle": "left out: the profile's",
}


def pages() -> list[Path]:
    """The pages, the index last."""
    return sorted(FOLDER.glob("*.md"), key=lambda page: (page.name == "README.md", page.name))


def renewed(page: str) -> str:
    """The page with current tables. KeyError for an unknown action."""
    return _PLACE.sub(lambda found: f"{found[1]}\n{table(ACTIONS[found[2]])}\n{END}", page)


def tables(page: str) -> list[str]:
    """The actions whose tables are on a page."""
    return [found[1] for found in _PLACE.findall(page)]


def table(action: type[Action]) -> str:
    """Parameters with their defaults and comments; then how long a flow is held."""
    own = [field for field in fields(action) if field.init]
    parts = []
    if own:
        rows = ["| parameter | default | |", "|---|---|---|"]
        rows += [f"| `{field.name}` | {_default(field)} | {_said(action, field)} |" for field in own]
        parts.append("\n".join(rows))
    else:
        parts.append(f"`{action.key}` has no parameters.")
    held = _held(action.key)
    if held:
        parts.append(
            "\n".join(
                ["| held after the trigger | profiles | source | confidence |", "|---|---|---|---|", *held]
            )
        )
    return "\n\n".join(parts)


def _default(field: Field[Any]) -> str:
    value = field.default
    if value is MISSING:
        return "required"
    if value is None or value in ("", ()):
        return "—"
    name = _type_name(field)
    if isinstance(value, tuple):
        unit = " s" if "Seconds" in name else ""
        return f"`[{', '.join(f'{each:g}{unit}' if unit else str(each) for each in value)}]`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if "Seconds" in name:
        return f"`{value:g} s`"
    if "Octets" in name:
        return f"`{value // 1024} KiB`" if value % 1024 == 0 else f"`{value} B`"
    if "BitsPerSecond" in name:
        return f"`{value / 1000:g} kbit/s`"
    if "Share" in name:
        return f"`{value * 100:g} %`"
    return f"`{value}`"


def _type_name(field: Field[Any]) -> str:
    kind = field.type
    return kind if isinstance(kind, str) else f"{getattr(kind, '__name__', '')} {kind}"


def _said(action: type[Action], field: Field[Any]) -> str:
    """The values to choose from, and the comment beside the field."""
    choices = _choices(field.type)
    match = re.search(rf"^    {field.name}: [^\n#]*(?:#\s*(.*))?$", inspect.getsource(action), re.MULTILINE)
    comment = (match[1] or "").strip() if match else ""
    comment = comment.replace("None: ", "left out: ")
    said = "; ".join(filter(None, (choices, comment or _MEANINGS.get(field.name, ""))))
    return said.replace("|", "\\|")


def _choices(kind: Any) -> str:
    bounds = _bounds(kind)
    if bounds:
        return f"{bounds.least} to {bounds.most}"
    if get_origin(kind) is not None and "Literal" in str(get_origin(kind)):
        return ", ".join(f"`{value}`" for value in get_args(kind))
    return ""


def _bounds(kind: Any) -> Between | None:
    """The first bounds in a type."""
    if isinstance(kind, Between):
        return kind
    inner = (*getattr(kind, "__metadata__", ()), *get_args(kind))
    return next((found for one in inner if (found := _bounds(one))), None)


def _held(key: str) -> list[str]:
    """One row for each residual time that profiles have for the action."""
    shared: dict[tuple[str, str, str], list[str]] = {}
    for profile in PROFILES.values():
        for about, times in (("", profile.residual), (" (rules about QUIC)", profile.quic_residual)):
            if key in times:
                cited = times[key]
                line = (f"{cited.value:g} s{about}", cited.source, cited.confidence)
                shared.setdefault(line, []).append(f"`{profile.name}`")
    return [
        f"| {seconds} | {', '.join(names)} | {source} | {confidence} |"
        for (seconds, source, confidence), names in shared.items()
    ]


if __name__ == "__main__":
    for path in pages():
        path.write_text(renewed(path.read_text("utf-8")), "utf-8")
