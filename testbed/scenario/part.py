"""The base of every file's model, and reading a file by a model."""

from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from testbed.scenario.document import Document
from testbed.scenario.problems import Loc, Problems, explain


class Part(BaseModel):
    """Unknown keys are errors, and nothing is converted silently."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)


Reduce = Callable[[dict[str, Any], list[Loc]], dict[str, Any]]

P = TypeVar("P", bound=BaseModel)


def parse(model: type[P], document: Document, problems: Problems, reduce: Reduce | None = None) -> P | None:
    """The file as the model, every problem noted.

    Where it does not fit, the result is None, or what `reduce` makes of it.
    """
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        details = error.errors(include_url=False)
        explained = [(detail, *explain(detail, model)) for detail in details]
        misspelt = {
            (*detail["loc"][:-1], remedy)
            for detail, _, remedy in explained
            if detail["type"] == "extra_forbidden"
        }
        for detail, message, remedy in explained:
            loc = detail["loc"]
            if detail["type"] == "missing" and (*loc[:-1], f"did you mean {loc[-1]!r}?") in misspelt:
                continue  # reported already, as a misspelt key
            problems.add(document, loc, message, remedy)
    if reduce is None:
        return None
    try:
        return model.model_validate(reduce(document.data, [detail["loc"] for detail in details]))
    except ValidationError:
        return None  # too little is left
