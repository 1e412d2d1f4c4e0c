"""Evaluations as large as one likes, from the records of real ones: data/*-trials.jsonl."""

import json
from itertools import cycle, islice
from pathlib import Path

DATA = Path(__file__).parent / "data"


def write_evaluation(folder: Path, detector: str = "curl", trials: int | None = None) -> Path:
    """The folder of an evaluation: the real trials of a detector, repeated until there are enough."""
    folder.mkdir(parents=True)
    lines = [json.loads(line) for line in (DATA / f"{detector}-trials.jsonl").read_text("utf-8").splitlines()]
    scenarios = sorted({line["scenario"] for line in lines})
    plan = {"detector": detector, "adapter": detector, "command": [], "scenarios": scenarios, "repeats": 1}
    (folder / "plan.json").write_text(json.dumps(plan | {"seed": 0, "limit": 60.0}), "utf-8")
    with (folder / "trials.jsonl").open("w", encoding="utf-8") as file:
        for number, line in enumerate(islice(cycle(lines), trials or len(lines))):
            repeat = 1 + number // len(lines)
            file.write(json.dumps(line | {"repeat": repeat}, ensure_ascii=False) + "\n")
    return folder
