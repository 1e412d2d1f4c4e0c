"""Times as users write them, in UTC: a time, or a day, month or year."""

import contextlib
from datetime import UTC, datetime, timedelta
from typing import Final

_FORMS: Final = ("%Y-%m-%d %H:%M", "%Y-%m-%d", "%Y-%m", "%Y")

LAST_YEAR: Final = 9998  # there is a day after it: Python's last year is 9999


def moment(text: str) -> datetime | None:
    """The time, in UTC; None if the text is none. A day, month or year alone means its beginning."""
    for form in _FORMS:
        with contextlib.suppress(ValueError):
            found = datetime.strptime(text, form).replace(tzinfo=UTC)
            if found.strftime(form) == text and found.year <= LAST_YEAR:
                return found
    return None


def after(text: str) -> datetime | None:
    """The end of a day, month or year; None if the text is none."""
    begin = moment(text)
    if begin is None:
        return None
    if len(text) == len("2022"):
        return begin.replace(year=begin.year + 1)
    if len(text) == len("2022-03"):
        return (begin + timedelta(days=31)).replace(day=1)
    return begin + timedelta(days=1)
