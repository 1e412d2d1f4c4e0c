"""The page as a whole: its outline, its policy, and that nothing in it is obeyed."""

import hashlib
import json
import re
from base64 import b64encode
from dataclasses import replace
from pathlib import Path

from testbed.htmlreport.gather import gather
from testbed.htmlreport.page import page_of
from testbed.htmlreport.rendering import FIRST, rendered
from tests.htmlreport.outline import outline
from tests.htmlreport.trialmaker import write_evaluation
from tests.htmlreport.values import BLOCKED, STORY, WRONG, curve, facts, matrix, monitor, row, run

HERE = Path(__file__).parent
HOSTILE = "</script><img src=x onerror=alert(1)>'\"&\x1b[31m\u202egpj\x00{{7*7}}$x$"


def whole() -> str:
    """A page with every section but the detectors'."""
    rows = (BLOCKED, WRONG, row("beeline"), row("outside"))
    one = run(rows=rows, curves=(curve(), curve("beeline")), stories=(STORY,), notes=("a note",))
    return rendered(page_of(facts(one, monitors=(monitor(),), matrices=(matrix(),))))


def test_the_outline_of_a_page():
    """Golden: what a screen reader has to go by."""
    assert outline(whole()) == (HERE / "data/outline.txt").read_text("utf-8")


def test_the_same_values_give_the_same_bytes():
    assert whole() == whole()


def test_nothing_is_loaded_and_only_what_is_ours_runs():
    page = whole()
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)[1]
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    hashes = [b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (script, style)]
    assert policy == (
        f"default-src 'none'; script-src 'sha256-{hashes[0]}'; style-src 'sha256-{hashes[1]}'; "
        "base-uri 'none'; form-action 'none'"
    )
    body = page.partition("<body>")[2].partition("<script>")[0]
    assert re.findall(r"\s(?:style|on\w+)=", body) == []
    assert re.findall(r'\s(?:src|srcset|action|poster|data)="', body) == []
    assert {one for one in re.findall(r'href="([^"]+)"', body) if not one.startswith("#")} == set()
    assert re.findall(r"url\((?!#)", body + style) == []


def test_identifiers_are_unique_and_all_that_is_referred_to_is_there():
    page = whole()
    found = re.findall(r'\sid="([^"]+)"', page)
    assert len(found) == len(set(found))
    referred = {name for names in re.findall(r'aria-labelledby="([^"]+)"', page) for name in names.split()}
    referred |= set(re.findall(r'href="#([^"]+)"', page)) | set(re.findall(r"url\(#([^)]+)\)", page))
    assert referred <= set(found)


def test_markup_and_control_characters_are_shown_and_not_obeyed():
    """In every place into which somebody else's words may come."""
    story = replace(STORY, target=HOSTILE, name=HOSTILE, why=(HOSTILE,), outcome=HOSTILE)
    hostile = run(
        title=HOSTILE, scenario=HOSTILE, rows=(replace(WRONG, target=HOSTILE, seen=HOSTILE),),
        stories=(story,),
        curves=(replace(curve(), target=HOSTILE, vantage=HOSTILE),), missing=(HOSTILE,), notes=(HOSTILE,),
        command=(HOSTILE,), operators=(replace(run().operators[0], key=HOSTILE, name=HOSTILE),),
    )  # fmt: skip
    samples = tuple(replace(one, target=HOSTILE + one.target) for one in monitor().samples)
    page = rendered(page_of(facts(hostile, monitors=(monitor(samples=samples),))))
    outline(page)  # elements are closed in order
    body = page.partition("<body>")[2].rpartition("<script>")[0]
    assert "<img" not in body
    assert "onerror=alert(1)&gt;" in body
    assert "\\x1b[31m" in body
    assert "{{7*7}}" in body
    assert {character for character in page if ord(character) < 32} == {"\n"}
    assert "\u202e" not in page
    assert body.count("<script") == body.count("</script>") == 0


def test_a_long_table_has_its_first_rows_and_the_rest_as_data(tmp_path):
    folder = write_evaluation(tmp_path / "long", trials=1000)
    with (folder / "trials.jsonl").open("a", encoding="utf-8") as file:
        last = json.loads((folder / "trials.jsonl").read_text("utf-8").splitlines()[-1])
        file.write(json.dumps(last | {"target": f"https://{HOSTILE}/", "repeat": 999}) + "\n")
    page = rendered(page_of(gather([str(folder)])))
    found = re.findall(
        r'<script type="application/json" id="(table\d+)-data">(.*?)</script>', page, re.DOTALL
    )
    rows = {key: json.loads(data) for key, data in found}
    (every,) = [key for key, lines in rows.items() if len(lines) == 1001]
    assert rows[every][-1][0].startswith("https://</script><img")
    assert "</script><img" not in page
    table = re.search(rf'<table id="{every}">.*?</table>', page, re.DOTALL)[0]
    assert table.count("<tr>") == FIRST + 1


def test_a_short_table_is_whole(tmp_path):
    """Twin."""
    page = rendered(page_of(gather([str(write_evaluation(tmp_path / "short"))])))
    assert "application/json" not in page
    assert "pager" not in page.partition("</style>")[2].partition("<script>")[0]
