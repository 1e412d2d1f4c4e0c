"""The ten lines that load a data set and plot it: executed as they are in the notebook."""

import json
from pathlib import Path

import pytest

from testbed.cli.main import main

BOOK = Path(__file__).resolve().parents[2] / "examples/notebooks/dataset.ipynb"


def test_ten_lines_load_and_plot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib as mpl  # here: whoever collects the tests would load it
    import matplotlib.pyplot as plt

    monkeypatch.chdir(tmp_path)
    args = ["dataset", "linkedin-ban-2016", "--flows", "30", "--client", "openssl", "--ipv", "4"]
    with pytest.raises(SystemExit):
        main([*args, "--no-pcap", "--jobs", "1", "--out", "flows"])
    lines = "".join(json.loads(BOOK.read_text("utf-8"))["cells"][1]["source"])
    assert len([one for one in lines.splitlines() if one]) <= 10

    mpl.use("agg")
    plt.close("all")
    exec(compile(lines, str(BOOK), "exec"), {})
    shown = plt.gca()
    assert shown.get_xlabel() == "seconds"
    assert {text.get_text() for text in shown.get_legend().get_texts()} >= {"ok"}
    assert sum(len(one.get_offsets()) for one in shown.collections) > 0
    plt.close("all")
