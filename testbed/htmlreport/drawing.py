"""Pictures for the page: by matplotlib, with real text, in colours that the page's own style sets.

A policy of the page forbids style attributes, and dark pages need other colours. So what matplotlib writes
as style becomes attributes, and each colour of `PAPER` a class, which the page's style gives its shade.
"""

import re
from collections.abc import Callable
from io import StringIO
from typing import TYPE_CHECKING, Any, Final
from xml.etree import ElementTree as ET

from testbed.errors import UnsupportedError, printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAPER: Final = {  # class -> colour; Okabe and Ito's, which colour-blind readers can tell apart
    "ink": "#1b1f24",
    "faint": "#d0d7de",
    "ground": "#fffffe",
    "blue": "#0072b2",
    "orange": "#e69f00",
    "red": "#d55e00",
    "green": "#009e73",
    "pink": "#cc79a7",
    "sky": "#56b4e9",
    "yellow": "#f0e442",
    "grey": "#57606a",
    "free": "#e6eef5",
}
LINES: Final = ("blue", "red", "green", "pink", "orange", "sky", "grey")
STYLES: Final = ("-", "--", "-.", ":")
MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X")
_CLASSES: Final = {colour: name for name, colour in PAPER.items()}
_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_REFERENCE: Final = re.compile(r"url\(#([^)]+)\)")
_SIZE: Final = re.compile(r"([\d.]+)px")
_SETTINGS: Final[dict[Any, Any]] = {
    "svg.hashsalt": "report",
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 9,
    "hatch.linewidth": 0.6,
    "text.color": PAPER["ink"],
    "axes.labelcolor": PAPER["ink"],
    "axes.edgecolor": PAPER["grey"],
    "xtick.color": PAPER["ink"],
    "ytick.color": PAPER["ink"],
    "grid.color": PAPER["faint"],
    "axes.grid": True,
    "axes.axisbelow": True,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "legend.frameon": False,
}


def drawn(key: str, width: float, height: float, draw: Callable[["Figure"], None]) -> str:
    """A figure of so many inches as SVG. `key` must be unique on the page; the same gives the same bytes.

    Errors: UnsupportedError without matplotlib.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UnsupportedError(lacking("matplotlib")) from error
    with rc_context(_SETTINGS):
        figure = Figure(figsize=(width, height), layout="constrained")
        draw(figure)
        out = StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    return fit_for_page(out.getvalue(), key)


def lacking(library: str) -> str:
    """What to say where a library of the extra is not installed."""
    return f"{library} is not installed, and the page needs it: pip install 'runet-testbed[report]'"


def label(text: str, most: int = 48) -> str:
    """A name as a picture may show it: nothing that a terminal obeys, and not too long."""
    shown = printable(text).replace("\n", " ").replace("\t", " ")
    return shown if len(shown) <= most else shown[: most - 1] + "…"


def fit_for_page(svg: str, key: str) -> str:
    """The drawing without styles, metadata and identifiers that nobody refers to."""
    ET.register_namespace("", _SVG)
    ET.register_namespace("xlink", _XLINK)
    root = ET.fromstring(svg[svg.index("<svg") :])
    used = {found for one in root.iter() for value in one.attrib.values() for found in _referred(value)}
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"):
                parent.remove(child)
    for one in root.iter():
        _attributes(one)
        identifier = one.attrib.pop("id", "")
        if identifier in used:
            one.set("id", f"{key}-{identifier}")
        for name, value in list(one.attrib.items()):
            if _referred(value):
                one.set(name, _REFERENCE.sub(rf"url(#{key}-\1)", re.sub(r"^#", f"#{key}-", value)))
    for name in ("width", "height"):  # its proportions are those of viewBox, its width the page's
        root.attrib.pop(name, None)
    _, _, wide, high = root.attrib["viewBox"].split()
    root.set("width", f"{float(wide) * 4 / 3:.0f}")
    root.set("height", f"{float(high) * 4 / 3:.0f}")
    root.set("aria-hidden", "true")
    root.set("focusable", "false")
    return ET.tostring(root, encoding="unicode").replace("\n", "")


def _referred(value: str) -> list[str]:
    return [value[1:]] if value.startswith("#") and len(value) > 7 else _REFERENCE.findall(value)


def _attributes(one: ET.Element) -> None:
    """Style as attributes; a colour of the page as a class."""
    classes = []
    parts = [part.partition(":") for part in one.attrib.pop("style", "").split(";")]
    values = {name.strip(): value.strip() for name, _, value in parts if value}
    values |= {name: one.attrib.pop(name) for name in ("fill", "stroke") if name in one.attrib}
    for name, value in values.items():
        if name in ("fill", "stroke") and value.lower() in _CLASSES:
            classes.append(f"{name}-{_CLASSES[value.lower()]}")
        elif name == "font":
            if size := _SIZE.search(value):
                one.set("font-size", size[1])
        elif name not in ("font-family", "white-space"):
            one.set(name, value)
    if one.tag == f"{{{_SVG}}}text" and not any(one.startswith("fill") for one in classes):
        classes.append("fill-ink")
    if classes:
        one.set("class", " ".join(classes))
