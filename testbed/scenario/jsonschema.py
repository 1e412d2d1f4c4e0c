"""JSON Schema of scenario and world files, for editors: completion and checks while typing."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from testbed.censor.actions import ACTIONS
from testbed.censor.profiles import PROFILES
from testbed.scenario.labels import LABELS
from testbed.scenario.matchparts import PLUGINS, former_names
from testbed.scenario.schema import ScenarioFile
from testbed.scenario.wayparts import RecipePart
from testbed.scenario.worldfile import WorldFile

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def scenario_schema() -> dict[str, Any]:
    """The schema of a scenario file."""
    schema = ScenarioFile.model_json_schema(by_alias=True)
    parts = schema["$defs"]
    parts["Action"] |= {
        "additionalProperties": False,
        "patternProperties": {r"\.py:": {"type": "object"}},
        "minProperties": 1,
        "maxProperties": 1,
    }
    names = {"enum": sorted(ACTIONS), "description": "an action without parameters"}
    parts["RulePart"]["properties"]["action"] = {"anyOf": [names, {"$ref": "#/$defs/Action"}]}
    match = parts["MatchPart"]["properties"]
    for name in (PLUGINS, *former_names()):
        del match[name]
    parts["MatchPart"]["patternProperties"] = {r"\.py:": {}}
    parts["CensorPart"]["properties"]["profile"] = {
        "anyOf": [{"enum": sorted(PROFILES)}, {"type": "string", "pattern": r"\.py:"}]
    }
    outcomes = [{"const": label, "description": meaning} for label, meaning in LABELS.items()]
    parts["ExpectPart"]["properties"]["outcome"] = {"oneOf": outcomes}
    parts["PhasePart"]["type"] = ["object", "null"]
    return {"$schema": DRAFT, **schema}


def world_schema() -> dict[str, Any]:
    """The schema of a world file."""
    return {"$schema": DRAFT, **WorldFile.model_json_schema(by_alias=True)}


def recipe_schema() -> dict[str, Any]:
    """The schema of a recipe file."""
    return {"$schema": DRAFT, **RecipePart.model_json_schema(by_alias=True)}


SCHEMAS: Final[Mapping[str, Callable[[], dict[str, Any]]]] = {
    "scenario": scenario_schema,
    "world": world_schema,
    "recipe": recipe_schema,
}
