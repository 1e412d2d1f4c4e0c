"""The page of a measured matrix."""

from testbed.report.matrixpage import matrix_page, matrix_picture


def cell(tool, box, ending, rule="", packet="", reason=""):
    share = {"hits": 1, "of": 1}
    return {
        "tool": tool,
        "box": box,
        "ending": ending,
        "share": share,
        "rule": rule,
        "packet": packet,
        "reason": reason,
    }


FOUND = {
    "cells": [
        cell("split", "t22", "through"),
        cell("split", "t26-R", "blocked", "name", "378 bytes at 139", "tls.sni.rst"),
        cell("tunnel", "t22", "unseen"),
        cell("tunnel", "t26-R", "skipped", reason="wg is not installed"),
    ]
}


def test_the_table_and_what_decided():
    page = matrix_page(FOUND, "picture.svg", "make matrix-page")
    for line in (
        "Of 4 cells, 2 got through, 1 did not, and 1 say nothing",
        "| | t22 | t26-R |",
        "| split | through | blocked |",
        "| split × t26-R | blocked | `name` | 378 bytes at 139 | tls.sni.rst |",
        "| tunnel × t26-R | skipped |  |  | wg is not installed |",
        "$ make matrix-page",
    ):
        assert line in page


def test_the_picture_has_every_cell_and_is_the_same_each_time():
    picture = matrix_picture(FOUND)
    assert [picture.count(f">{word}<") for word in ("through", "blocked", "unseen", "skipped")] == [
        1,
        1,
        1,
        1,
    ]
    assert picture == matrix_picture(FOUND)
