"""Write the published JSON Schema of truth files: python tools/truth_schema.py."""

import json
from pathlib import Path

from testbed.truth.record import truth_schema

FILE = Path(__file__).resolve().parents[1] / "schemas" / "truth.schema.json"


def text() -> str:
    """The file as it must be."""
    return json.dumps(truth_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), "utf-8")
