"""Git repositories as plain files over HTTP (git's "dumb" protocol), for `git clone https://HOST/OWNER/NAME`.

Every owner has every repository, with one commit and one file in it: whoever tries whether cloning works
through a censor needs a repository, not somebody's code.
"""

import re
from functools import lru_cache
from hashlib import sha1
from zlib import compress

_PATH = re.compile(r"/([\w.-]+)/([\w.-]+?)(?:\.git)?/(HEAD|info/refs|objects/[0-9a-f]{2}/[0-9a-f]{38})")
_BRANCH = "refs/heads/main"
_MADE = 1640995200  # 2022-01-01: our choice. A fixed date gives a commit the same name in every run.


def repository_file(path: str) -> bytes | None:
    """The bytes at this path of a web server, None if no file of a repository is there."""
    found = _PATH.fullmatch(path)
    if found is None:
        return None
    owner, name, file = found.groups()
    return _files(owner, name).get(file)


@lru_cache(maxsize=16)
def _files(owner: str, name: str) -> dict[str, bytes]:
    """Where a repository's files are, below its address (gitrepository-layout(5))."""
    objects: dict[str, bytes] = {}

    def add(kind: str, content: bytes) -> str:
        whole = f"{kind} {len(content)}".encode() + b"\0" + content
        key = sha1(whole, usedforsecurity=False).hexdigest()
        objects[f"objects/{key[:2]}/{key[2:]}"] = compress(whole)
        return key

    readme = add("blob", f"# {name}\n\nA repository of {owner}'s in the emulated Internet.\n".encode())
    tree = add("tree", b"100644 README.md\0" + bytes.fromhex(readme))
    who = f"{owner} <{owner}@example.com> {_MADE} +0000"
    commit = add("commit", f"tree {tree}\nauthor {who}\ncommitter {who}\n\nA first commit\n".encode())
    refs = {"HEAD": f"ref: {_BRANCH}\n".encode(), "info/refs": f"{commit}\t{_BRANCH}\n".encode()}
    return refs | objects
