"""When something happened: a day, a month or a year, or two of them, the second of which may be open."""

import contextlib
from datetime import datetime
from typing import Annotated, Final

from pydantic import BeforeValidator

from testbed.scenario.moments import LAST_YEAR
from testbed.scenario.problems import fault
from testbed.scenario.values import Text

ANY: Final = "any"  # of what is not about a time
_FORMS: Final = ("%Y", "%Y-%m", "%Y-%m-%d")
_EXAMPLES: Final = "write 2021-03-10/2021-05-17, 2022-03-04/, 2022-03, 2022 or any"


def _checked(value: object) -> object:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value  # a year alone
    if not isinstance(text, str) or text in ("", ANY):
        return text
    begin, _, end = text.partition("/")
    if not _is_date(begin) or not (_is_date(end) or end == ""):
        raise fault(f"{text!r} is no period", _EXAMPLES)
    if end and end < begin[: len(end)]:
        raise fault(f"the period {text!r} ends before it begins", "write the earlier day first")
    return text


def _is_date(text: str) -> bool:
    for form in _FORMS:
        with contextlib.suppress(ValueError):
            found = datetime.strptime(text, form)  # noqa: DTZ007 - a day, not a moment
            if found.strftime(form) == text and found.year <= LAST_YEAR:
                return True
    return False


Period = Annotated[Text, BeforeValidator(_checked)]
