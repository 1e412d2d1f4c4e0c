"""A truth record as data: its JSON Schema, its version, what it says of itself."""

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from testbed.errors import InputError
from testbed.scenario.labels import LABELS, layer_of
from testbed.truth.record import TruthFile, TruthRecord, read_truth, truth_of, truth_schema

ROOT = Path(__file__).parents[2]
RECORD = TruthRecord(
    level="policy",
    scenario="twitter-facebook-block-2022-03",
    phase="block",
    vantage="mts",
    target="https://twitter.com/",
    transport="tls",
    ipv=4,
    client="probe",
    outcome="tls.sni.rst",
    mechanism="tls.sni.rst",
    layer="tls",
    rule="mts/tspu-mts/social-reset",
    rules=("mts/tspu-mts/social-reset",),
    action="rst-rewrite",
    direction="down",
    hop=2,
    residual=75.0,
    control="https://vk.com/",
    onset="2022-03-04T08:00:00Z",
    chances={"tls.sni.rst": 1.0},
    observable={"curl": "35"},
)
REMEDY = "make it with this testbed: testbed truth NAME --json"
FILE = TruthFile(seed=1, records=(RECORD,))


def test_the_published_schema_is_that_of_the_records() -> None:
    spec = importlib.util.spec_from_file_location("truth_schema", ROOT / "tools/truth_schema.py")
    assert spec
    assert spec.loader
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert tool.FILE.read_text("utf-8") == tool.text(), "run: python tools/truth_schema.py"


def test_what_is_written_fits_the_schema_and_is_read_again(tmp_path: Path) -> None:
    written = json.loads(json.dumps(FILE.to_json()))
    jsonschema.Draft202012Validator.check_schema(truth_schema())
    jsonschema.validate(written, truth_schema(), jsonschema.Draft202012Validator)
    (tmp_path / "truth.json").write_text(json.dumps(written))
    assert read_truth(tmp_path / "truth.json") == FILE


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"outcome": "tls.sni.reset"}, "'tls.sni.reset' is not one of"),
        ({"hop": "two"}, "'two' is not"),
        ({"colour": "red"}, "'colour' was unexpected"),
        ({"chances": {"ok": 2}}, "2 is greater than"),
    ],
)
def test_what_the_schema_refuses(change: dict[str, object], said: str) -> None:
    written = FILE.to_json()
    written["records"][0] |= change
    with pytest.raises(jsonschema.ValidationError, match=said):
        jsonschema.validate(written, truth_schema(), jsonschema.Draft202012Validator)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (
            FILE.to_json() | {"version": 2},
            f"x.json: the truth file has version 2, and this testbed reads version 1; {REMEDY}",
        ),
        ([], f"x.json: this is no truth file: its 'format' is not 'testbed-truth'; {REMEDY}"),
        (
            {**FILE.to_json(), "records": [RECORD.to_json() | {"ipv": 5}]},
            "x.json records.0.ipv: Input should be 4 or 6: 5; see schemas/truth.schema.json",
        ),
    ],
)
def test_a_file_that_is_refused(document: object, said: str) -> None:
    with pytest.raises(InputError) as raised:
        truth_of(document, "x.json")
    assert str(raised.value) == said


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"truth\.json: cannot be read"):
        read_truth(tmp_path / "truth.json")


def test_blocked_follows_from_the_outcome() -> None:
    assert RECORD.blocked
    assert RECORD.to_json()["blocked"] is True
    assert not replace(RECORD, outcome="refused").blocked


def test_every_label_has_a_layer() -> None:
    assert {label for label in LABELS if layer_of(label) == "none"} == {"ok", "portal", "refused", "broken"}
    assert {layer_of("tls.sni.rst"), layer_of("http.page"), layer_of("quic.sni.drop")} == {
        "tls",
        "http",
        "quic",
    }
    assert layer_of("freeze") == "volume"
