"""Collects every problem of a file before any is reported, and words them."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails, PydanticCustomError

from testbed.errors import InputError, Problem, nearest

if TYPE_CHECKING:
    from testbed.scenario.document import Document

Loc = tuple[str | int, ...]

_PLACE = re.compile(r"(.*?):(\d+)")


class Problems:
    """The problems found so far, of any number of files."""

    def __init__(self) -> None:
        self.found: list[Problem] = []

    def add(self, document: "Document", loc: Sequence[str | int], message: str, remedy: str = "") -> None:
        """Note a problem at a path inside a document."""
        self.found.append(Problem(document.place(tuple(loc)), message, remedy))

    def raise_if_any(self) -> None:
        """InputError with every problem, if there is one, in the order of the files' lines."""
        if not self.found:
            return
        files = {_file_and_line(problem)[0]: None for problem in self.found}
        order = {file: index for index, file in enumerate(files)}
        raise InputError(
            *sorted(
                dict.fromkeys(self.found),
                key=lambda problem: (order[_file_and_line(problem)[0]], _file_and_line(problem)[1]),
            )
        )


def _file_and_line(problem: Problem) -> tuple[str, int]:
    found = _PLACE.match(problem.place)
    return (found[1], int(found[2])) if found else (problem.place, 0)


def fault(message: str, remedy: str = "") -> PydanticCustomError:
    """A validator's error with a remedy."""
    return PydanticCustomError("fault", "{message}", {"message": message, "remedy": remedy})


def shown(value: object) -> str:
    """A value as it may appear in a message: short."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"


def explain(error: ErrorDetails, model: type[BaseModel]) -> tuple[str, str]:
    """Message and remedy for one of pydantic's errors."""
    kind, loc, value = error["type"], error["loc"], error["input"]
    context = error.get("ctx", {})
    if kind == "fault":
        return context["message"], context["remedy"]
    if kind == "value_error":  # a dataclass' own check
        return str(context["error"]), ""
    if kind == "extra_forbidden":
        return f"unknown key {str(loc[-1])!r}", nearest(loc[-1], _keys(model, loc[:-1]))
    if kind == "missing":
        return f"the key {str(loc[-1])!r} is missing", f"add it: '{loc[-1]}: …'"
    if kind == "literal_error":
        words = [word.strip("'") for word in context["expected"].replace(" or ", ", ").split(", ")]
        return f"{shown(value)} is not one of {context['expected']}", nearest(value, words)
    if kind == "too_short" and not value:
        return "it is empty", "give it at least one entry"
    if kind in _BOUNDS:
        bound = next(iter(context.values()))
        return f"{shown(value)} is {_BOUNDS[kind][0]}", f"write {bound} or {_BOUNDS[kind][1]}"
    if kind in _EXPECTED:
        return f"expected {_EXPECTED[kind]}, found {shown(value)}", _EXAMPLES.get(kind, "")
    return f"{error['msg'][:1].lower()}{error['msg'][1:]}, not {shown(value)}", ""


_BOUNDS = {"greater_than_equal": ("too small", "more"), "less_than_equal": ("too large", "less")}
_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "key: value pairs",
    "model_type": "key: value pairs",
    "model_attributes_type": "key: value pairs",
}
_EXAMPLES = {
    "string_type": "put it in quotes if text is meant",
    "int_type": "write one like 5, without quotes or unit",
    "int_from_float": "write one like 5",
    "float_type": "write one like 0.5, without quotes or unit",
    "bool_type": "write true or false, without quotes",
    "list_type": "write [a, b] or one '- a' per line",
    "tuple_type": "write [a, b]",
    "dict_type": "write 'key: value', one per line",
    "model_type": "write 'key: value', one per line",
}


def _keys(model: Any, loc: Sequence[str | int]) -> list[str]:
    """The keys allowed at a path, found by walking the models' types."""
    for part in loc:
        model = _step(_bare(model), part)
    bare = _bare(model)
    if not (isinstance(bare, type) and issubclass(bare, BaseModel)):
        return []
    return [field.alias or name for name, field in bare.model_fields.items()]


def _step(model: Any, part: str | int) -> Any:
    if isinstance(model, type) and issubclass(model, BaseModel):
        fields = {field.alias or name: field.annotation for name, field in model.model_fields.items()}
        return fields.get(str(part))
    arguments = get_args(model)
    if not arguments:
        return None
    mapping = get_origin(model) in (dict, Mapping)
    return arguments[1] if mapping else arguments[0]


def _bare(model: Any) -> Any:
    """A type without Annotated and without `| None`."""
    while True:
        arguments = get_args(model)
        if hasattr(model, "__metadata__"):
            model = arguments[0]
        elif type(None) in arguments:
            model = next(kind for kind in arguments if kind is not type(None))
        else:
            return model
