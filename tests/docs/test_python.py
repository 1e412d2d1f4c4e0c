"""Every Python program of the documents runs and prints what the page says.

A fenced ```python block that imports from `testbed` itself is a program; a ```text block right after it is
what it prints, compared as console blocks are.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, agrees, pages

LONGEST = 90  # seconds for one program
_PROGRAM = re.compile(r"^```python\n(.*?)^```\n(?:\n?```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)


def programs(text: str) -> Iterator[tuple[str, list[str]]]:
    """Each program and the lines that it must print."""
    for found in _PROGRAM.finditer(text):
        if re.search(r"^from testbed import", found[1], re.MULTILINE):
            yield found[1], (found[2] or "").splitlines()


def run(program: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(folder), "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program], cwd=folder, env=environment, text=True,
        capture_output=True, check=False, timeout=LONGEST,
    )  # fmt: skip


def documented() -> Iterator[object]:
    for page in pages():
        name = str(page.relative_to(ROOT))
        for number, (program, output) in enumerate(programs(page.read_text("utf-8")), 1):
            yield pytest.param(program, output, id=f"{name}-{number}", marks=pytest.mark.world("curl"))


@pytest.mark.timeout(LONGEST + 30)
@pytest.mark.parametrize(("program", "output"), list(documented()))
def test_prints_what_the_page_says(tmp_path: Path, program: str, output: list[str]) -> None:
    tmp_path.chmod(0o700)
    done = run(program, tmp_path)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert agrees(output, done.stdout), done.stdout


PAGE = """\
```python
from testbed import Job
print(1)
```

```text
1
```

```python
class NotAProgram: ...
```

```python
from testbed import Job
```
"""


def test_finds_the_programs_and_what_they_print() -> None:
    first, second = programs(PAGE)
    assert first == ("from testbed import Job\nprint(1)\n", ["1"])
    assert second == ("from testbed import Job\n", [])


def test_there_are_some() -> None:
    assert len(list(documented())) >= 3
