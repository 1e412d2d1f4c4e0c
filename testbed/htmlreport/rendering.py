"""From the page's values to HTML: by Jinja2, escaping everything, with a policy that allows nothing else."""

import json
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from testbed.errors import UnsupportedError, printable
from testbed.htmlreport.blocks import DataGrid, GridCell, GridRow, ReportPage, kind_of
from testbed.htmlreport.drawing import lacking
from testbed.htmlreport.ladderrows import ladder_rows, legend_of

if TYPE_CHECKING:
    from jinja2 import Environment

HERE: Final = Path(__file__).parent
SHORT: Final = 100  # rows of a table that is whole in the page; our choice
FIRST: Final = 50  # rows of a longer one that are there before anybody asks for more


def rendered(page: ReportPage) -> str:
    """The page. The same values give the same bytes.

    Errors: UnsupportedError without Jinja2.
    """
    style, script = ((HERE / name).read_text("utf-8") for name in ("page.css", "page.js"))
    policy = (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    template = _environment().get_template("page.html.j2")
    text = template.render(page=page, style=_markup(style), script=_markup(script), policy=policy)
    return text.strip() + "\n"


def require_libraries() -> None:
    """UnsupportedError, with the remedy, unless the libraries of the extra are installed."""
    for library in ("jinja2", "matplotlib"):
        if find_spec(library) is None:
            raise UnsupportedError(lacking(library))


def _environment() -> "Environment":
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError as error:
        raise UnsupportedError(lacking("jinja2")) from error
    numbers = count(1)
    made = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_harmless,
    )
    made.globals |= {"number": lambda: next(numbers), "short": SHORT, "first": FIRST}
    made.filters |= {
        "kind": kind_of, "cell": _cell, "markup": _markup, "data": _data, "ladder_rows": ladder_rows,
        "legend": legend_of,
    }  # fmt: skip
    made.tests["long"] = is_long
    return made


def is_long(grid: DataGrid) -> bool:
    """Whether the page has only its first rows, and the others as data."""
    return len(grid.rows) > SHORT


def _harmless(value: Any) -> Any:
    """Text without what a terminal or a reader's eye would obey. It is escaped besides."""
    return printable(value) if type(value) is str else value


def _markup(text: str) -> str:
    """Ours, and to be taken as it is: style, script, and drawings that `drawing` and `topology` made."""
    from markupsafe import Markup

    return Markup(text)


def _digest(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


def _cell(value: str | GridCell) -> GridCell:
    return value if isinstance(value, GridCell) else GridCell(value)


def _data(rows: Sequence[GridRow]) -> str:
    """Rows as JSON that no markup can leave: a cell is its text, or text, tone, sign and more."""
    plain = [[_plain(value) for value in row] for row in rows]
    text = json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
    for mark, escaped in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026")):
        text = text.replace(mark, escaped)
    return _markup(text)


def _plain(value: str | GridCell) -> str | list[str]:
    cell = _cell(value)
    if not cell.tone and not cell.more:
        return printable(cell.text)
    return [printable(cell.text), cell.tone, cell.sign, printable(cell.more)]
