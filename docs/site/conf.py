"""How `make site` turns the pages, the commands and the docstrings into one searchable site.

The pages are written for a forge, where they must also read well; so what only the site needs is added here:
the navigation, which is the last table of README.md, and links to folders become text.
"""

import builtins
import re
from pathlib import Path

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx

from testbed import __version__

project = "A Russian Internet on one Linux machine"
version = release = __version__
copyright = "the contributors; GPL-2.0-or-later"  # noqa: A001
today = " "  # in the manual page: the same bytes on every day

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.apidoc", "sphinx_click", "sphinx_copybutton"]
root_doc = "index"
include_patterns = ["*.md", "docs/**.md", "labs/*/worksheet.md", "commands.rst", "api/**.rst"]
suppress_warnings = [
    "misc.highlighting_failure",  # an example with … in it
    "ref.python",  # `bytes` is a builtin, and a field of some class
]

html_theme = "furo"
html_title = "runet-testbed"
html_static_path: list[str] = []
html_show_sphinx = False
html_copy_source = False
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True

if tags.has("manual"):  # noqa: F821 - Sphinx gives it
    extensions = ["sphinx_click"]
    root_doc = "commands"
    include_patterns = ["commands.rst"]

if tags.has("pages"):  # noqa: F821
    extensions.remove("sphinx.ext.apidoc")

man_pages = [("commands", "testbed", "a Russian Internet on one Linux machine", "", 1)]

myst_heading_anchors = 4
myst_links_external_new_tab = True

smartquotes = False  # `--json` is not –json
default_role = "code"  # docstrings write `name` as Markdown does
autodoc_member_order = "bysource"
toc_object_entries = False
PACKAGES = (
    *("__init__", "capture", "censor", "detectors", "errors", "evade"),
    *("measurement", "model", "run", "scenario"),
)
CODE = Path(__file__).resolve().parents[2] / "testbed"
apidoc_modules = [
    {
        "path": str(CODE),
        "destination": "api",
        "max_depth": 1,
        "module_first": True,
        "automodule_options": {"members", "show-inheritance", "ignore-module-all"},
        # What other programs import; the rest is read in the sources.
        "exclude_patterns": [str(path) for path in CODE.iterdir() if path.stem not in PACKAGES],
    }
]

_ROW = re.compile(r"^\| ([^|]+) \| (\[.*) \|$", re.MULTILINE)
_LINK = re.compile(r"\[([^\]]+)\]\(([^)#]+)\.md\)")
_FOLDER = re.compile(r"\[([^\]]+)\]\(([^)#:]+)\)")
_UNDERLINED = re.compile(r"(?<![`\w])(\w+)_(?![`\w])")
_CODE = re.compile(r"(?<!`)` ?([^`]+?) ?`(?!`)")


def add_navigation(app: Sphinx, page: str, source: list[str]) -> None:
    """Give the first page its table of contents, and each folder's README the pages beside it."""
    folder = Path(app.srcdir, page).parent
    if not page.startswith(("api/", "commands")):
        source[0] = _FOLDER.sub(lambda link: without_folder(link, folder), source[0])
        source[0] = source[0].replace("../README.md", "../index.md")
    if page == "index":
        rows = _ROW.findall(source[0].partition("## Further reading")[2])
        tables = [toctree(title, _LINK.findall(links)) for title, links in rows]
        reference = [("Commands", "commands"), ("Modules", "api/modules")]
        reference = reference[: 1 if app.tags.has("pages") else 2]
        source[0] += "\n".join([*tables, toctree("Reference", reference)])
    elif Path(page).name == "README":
        beside = sorted(path.stem for path in folder.glob("*.md") if path.stem != "README")
        source[0] += toctree("", [("", stem) for stem in beside])
    elif page == "docs/labs":
        sheets = sorted(Path(app.srcdir, "labs").glob("*/worksheet.md"))
        source[0] += toctree("", [("", f"../labs/{sheet.parent.name}/worksheet") for sheet in sheets])


def without_folder(link: re.Match[str], folder: Path) -> str:
    """The link, or its text alone if it leads to a folder: that is no page of the site."""
    return link[1] if (folder / link[2]).is_dir() else link[0]


def toctree(caption: str, entries: list[tuple[str, str]]) -> str:
    """A hidden table of contents: (title, page) each; without a title it is the page's own."""
    lines = [f"{title} <{page}>" if title else page for title, page in entries]
    options = [f":caption: {caption}"] if caption else []
    return "\n".join(["", "```{toctree}", ":hidden:", *options, "", *lines, "```", ""])


def forget_builtins(app: Sphinx, page: nodes.document) -> None:
    """Show `int` and its like in signatures as text: to look each up among our names takes minutes."""
    for reference in list(page.findall(pending_xref)):
        if reference.get("refdomain") == "py" and (
            hasattr(builtins, reference["reftarget"]) or "(" in reference["reftarget"]
        ):
            reference.replace_self(reference.children)


def from_markdown(app: Sphinx, *what: object) -> None:
    """Read a docstring as it was written: with Markdown's code, and without references of its own."""
    lines: list[str] = what[-1]  # type: ignore[assignment]
    within = False
    for number, line in enumerate(list(lines)):
        indented = line.startswith("    ")
        if indented and not within and not lines[number - 1].strip():
            lines[number - 1] = "\n::\n"
        within = indented or (within and not line.strip())
        if not within:
            lines[number] = _CODE.sub(r"``\1``", _UNDERLINED.sub(r"\1\\_", line))
    lines[:] = "\n".join(lines).splitlines()


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", add_navigation)
    app.connect("doctree-read", forget_builtins)
    app.connect("autodoc-process-docstring", from_markdown)
