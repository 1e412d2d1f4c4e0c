"""Write the published JSON Schema of recipes: python tools/recipe_schema.py."""

import json
from pathlib import Path

from testbed.scenario.jsonschema import recipe_schema

FILE = Path(__file__).resolve().parents[1] / "schemas" / "recipe.schema.json"


def text() -> str:
    """The file as it must be."""
    return json.dumps(recipe_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), "utf-8")
