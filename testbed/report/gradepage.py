"""The points of a class as one HTML page: it loads nothing, has no scripts, and its content is escaped."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from testbed.errors import UnsupportedError
from testbed.labs.grading import Grade

_TEMPLATE: Final = "gradepage.html.j2"


def grade_page(grades: Sequence[Grade], problems: Sequence[str]) -> str:
    """The page. UnsupportedError without Jinja2."""
    labs = [(lab, list(some)) for lab, some in groupby(grades, key=lambda one: one.lab)]
    return rendered(_TEMPLATE, labs=labs, problems=problems)


def rendered(template: str, **values: Any) -> str:
    """A page from a template of this folder; everything in it is escaped. UnsupportedError without Jinja2."""
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError:
        message = "the page needs Jinja2, which is not installed: pip install 'runet-testbed[labs]'"
        raise UnsupportedError(message) from None
    folder = Path(__file__).parent
    environment = Environment(loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined)
    return environment.get_template(template).render(**values) + "\n"
