"""Two runs side by side, for a terminal."""

from typing import Final

from testbed.errors import printable
from testbed.explain.parting import RunDifference

_MOST: Final = 12  # settings that are listed; our choice


def differing(found: RunDifference) -> str:
    """What was set otherwise, which rows changed, and where their flows part."""
    lines = [
        f"{what}: {one or 'absent'} | {other or 'absent'}" for what, one, other in found.settings[:_MOST]
    ]
    if len(found.settings) > _MOST:
        lines.append(f"and {len(found.settings) - _MOST} more settings differ")
    for which, why in zip(("first", "second"), found.problems, strict=True):
        lines += [f"the {which} run proves nothing: {one}" for one in why]
    for row in found.rows:
        trial = f" (trial {row.trial})" if row.trial is not None else ""
        lines.append(
            f"{row.target}{trial} from {row.vantage}: {row.first or 'absent'} | {row.second or 'absent'}"
        )
        if any(row.parts):
            lines += [f"  both: {row.after}"] if row.after else []
            lines += [f"  first run:  {row.parts[0]}", f"  second run: {row.parts[1]}"]
    for rule, first, _ in found.rules:
        lines.append(f"{rule} acted in the {'first' if first else 'second'} run only")
    count = len(found.rows)
    if not count + found.same:
        same = "the rules that acted differ" if found.rules else "the same rules acted"
        lines.append(f"no rows to compare, as after a command: {same}")
    else:
        lines.append(
            f"{count} of {count + found.same} rows differ" if count else f"the same in all {found.same} rows"
        )
    return "".join(f"{printable(line)}\n" for line in lines)
