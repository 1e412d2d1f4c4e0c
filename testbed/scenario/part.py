"""The base of every file's model, and reading a file by a model."""

from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from testbed.scenario.document import Document
from testbed.scenario.problems import Problems, explain


class Part(BaseModel):
    """Unknown keys are errors, and nothing is converted silently."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


P = TypeVar("P", bound=BaseModel)


def parse(model: type[P], document: Document, problems: Problems) -> P | None:
    """The file as the model; None, and every problem noted, if it does not fit."""
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        details = error.errors(include_url=False)
        told = [(detail, *explain(detail, model)) for detail in details]
        misspelt = {
            (*detail["loc"][:-1], remedy) for detail, _, remedy in told if detail["type"] == "extra_forbidden"
        }
        for detail, message, remedy in told:
            loc = detail["loc"]
            if detail["type"] == "missing" and (*loc[:-1], f"did you mean {loc[-1]!r}?") in misspelt:
                continue  # said already, where it stands
            problems.add(document, loc, message, remedy)
        return None
