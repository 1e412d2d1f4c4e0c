"""The worked examples, executed; and what a cell shows, without a world."""

from pathlib import Path

import pytest

from testbed.notebook import CellOutput, TransferCurve, curves

EXAMPLES = Path(__file__).resolve().parents[2] / "examples/notebooks"
NOTEBOOKS = [EXAMPLES / f"{name}.ipynb" for name in ("observatory", "rate")]  # those that need worlds
CURVE = TransferCurve("https://x/", ((0.1, 16000), (0.3, 2000), (1.3, 2000), (2.3, 2000)))


def test_a_rate_is_that_of_what_comes_later() -> None:
    assert (CURVE.seconds, CURVE.octets) == (2.3, 22000)
    assert CURVE.after(0.5) == pytest.approx(8 * 4000 / 1.7)
    assert CURVE.after(9) == TransferCurve("https://x/", ()).after(0) == 0
    assert CURVE.steps()[:2] == [(0.25, 512000.0), (0.5, 64000.0)]


def test_a_curve_is_a_picture_and_what_was_printed_is_escaped() -> None:
    assert curves(CURVE, CURVE).svg.startswith("<svg")
    assert "&lt;b&gt;" in CellOutput(("echo", "<b>"), 0, "<b>")._repr_html_()


def test_there_are_three_examples() -> None:
    assert sorted(path.stem for path in EXAMPLES.glob("*.ipynb")) == ["dataset", "observatory", "rate"]


@pytest.mark.world
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_worked_example_runs(path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nbclient = pytest.importorskip("nbclient", reason="the extra 'labs' is not installed")
    pytest.importorskip("ipykernel", reason="the extra 'labs' is not installed")
    import nbformat

    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    book = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(
        book, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    outputs = [one for cell in book.cells if cell.cell_type == "code" for one in cell.outputs]
    assert any("image/svg+xml" in one.get("data", {}) for one in outputs)
    assert not any(one.output_type == "error" for one in outputs)
