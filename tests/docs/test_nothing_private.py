"""No file of the repository names a package registry's host or a path of the machine it was written on."""

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.docs.pages import ROOT

_FOLDERS = ("docs", "examples", "testbed", "tests", "tools", "bench", "scenarios", ".ci", ".github")
_TEXT = {".md", ".py", ".sh", ".yaml", ".yml", ".toml", ".lock", ".json", ".svg", ".txt", ".cfg", ""}
_HOSTS = re.compile(
    r"(?<![\w.-])(pypi\.org|(test\.)?pypi\.python\.org|files\.pythonhosted\.org|registry\.npmjs\.org|registry\.yarnpkg\.com"
    r"|(deb|security|archive|snapshot)\.(debian|ubuntu)\.(org|com)|proxy\.golang\.org|(static|index)\.crates\.io)\b"
)
_PATHS = re.compile(r"(?<![\w.…/-])/(root|home/[a-z]\w*|Users/\w+)/\w")
_COMMON = {Path(p) for p in ("/", "/usr", "/opt", "/srv", "/home", "/root", "/tmp", "/testbed")}
_INDEXES = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX")


def files() -> list[Path]:
    top = [path for path in ROOT.iterdir() if path.is_file()]
    inside = [path for folder in _FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()]
    return [path for path in top + inside if path.suffix in _TEXT and "__pycache__" not in path.parts]


def private(text: str, root: Path = ROOT) -> list[str]:
    """What in `text` must not be there."""
    own = [str(place) for place in (root, root.parent) if place not in _COMMON]
    hosts = [host for name in _INDEXES if (host := urlsplit(os.environ.get(name, "")).hostname)]
    hosts = [host for host in hosts if host != "localhost" and "." in host]
    literal = [place for place in own if re.search(rf"(?<![\w.]){re.escape(place)}/", text)]
    literal += [host for host in hosts if host in text]
    return literal + [found[0] for pattern in (_HOSTS, _PATHS) for found in pattern.finditer(text)]


def test_nothing_private_is_named() -> None:
    named = {}
    for path in files():
        text = path.read_text("utf-8", errors="ignore")
        if found := private(text):
            named[str(path.relative_to(ROOT))] = sorted(set(found))
    assert named == {}


@pytest.mark.parametrize(
    "text",
    [
        "from " + "pypi" + ".org",
        "https://" + "files.python" + "hosted.org/x",
        "deb http://" + "deb.debian" + ".org/debian",
        "/ho" + "me/alice/x",
        "see /checkouts/" + "mine/x.py",
    ],
)
def test_it_would_be_noticed(text: str) -> None:
    assert private(text, Path("/checkouts/mine"))
    assert not private("https://twitter.com/ in /etc/ssl and /run/x", Path("/checkouts/mine"))
