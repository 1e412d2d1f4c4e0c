"""The reader of console blocks is itself right: it finds what a page says, and sees when that is not so."""

import pytest

from tests.docs.pages import agrees, steps

PAGE = """\
Text.

```console
$ first # exit 35
one
two

$ second \\
> more
```

```sh
$ not this
```
"""


def test_finds_commands_outputs_and_statuses() -> None:
    first, second = steps(PAGE, "p.md")
    assert (first.place, first.output, first.status) == ("p.md:4", ["one", "two", ""], 35)
    assert (second.command, second.output, second.status) == ("second \\\nmore", [], 0)


@pytest.mark.parametrize(
    ("shown", "actual", "same"),
    [
        ("in 12.5 s", "in   3 s  ", True),
        ("took 1:02:03", "took 4", True),
        ("recorded in runs/x-1", "recorded in /tmp/a/runs/y-2", True),
        ("a\n…\nz", "a\nb\nc\nz", True),
        ("a\n…\nz", "a\nz", True),
        ("a … z", "a b c z", True),
        ("a … z", "a b c", False),
        ("a", "b", False),
        ("a", "a\nb", False),
        ("a\nb", "a", False),
        ("a.c", "abc", False),
    ],
)
def test_compares(shown: str, actual: str, same: bool) -> None:
    assert agrees(shown.splitlines(), actual) is same


def test_a_block_without_a_command_is_a_mistake() -> None:
    with pytest.raises(ValueError, match=r"p\.md:2: a console block begins with"):
        steps("```console\noutput\n```\n", "p.md")


def test_a_busy_machine_changes_no_page() -> None:
    """The twin: any other note does."""
    shown = ["testbed: as mts", "testbed: recorded in run"]
    busy = "testbed: note: this machine was busy: a timer came up to 0.2 s late"
    assert agrees(shown, "\n".join([shown[0], busy, shown[1]]))
    assert not agrees(shown, "\n".join([shown[0], "testbed: note: a rule never fired", shown[1]]))
