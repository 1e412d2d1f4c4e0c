"""The types of values in scenario files, for pydantic: parsed, checked, and described for editors."""

import dataclasses
import re
import types
from collections.abc import Callable, Iterator
from functools import partial
from ipaddress import ip_address
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    StringConstraints,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
    create_model,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from testbed.censor import units as core
from testbed.censor.actions.base import operators_parameters
from testbed.censor.units import AboveZero, AddressOf, Between, Form, InOrder
from testbed.scenario import quantities
from testbed.scenario.listparts import PARTS
from testbed.scenario.problems import fault, shown

OPERATOR = "operator"  # as a parameter's value: the operator's own

Text = Annotated[str, StringConstraints(min_length=1)]


def as_list(value: object) -> object:
    """A single value as a list of one."""
    return [value] if isinstance(value, str | int) and not isinstance(value, bool) else value


def _check_key(value: object) -> object:
    """Names of censors, rules, phases and operators become file names and host names."""
    if isinstance(value, str) and not (
        value.isascii() and value.replace("-", "").isalnum() and value[0] != "-"
    ):
        raise fault(f"{shown(value)} is not a good name", "use letters, digits and hyphens")
    return value


Key = Annotated[str, BeforeValidator(_check_key)]


def quantity(parse: Callable[[object], Any], example: str) -> BeforeValidator:
    """A validator that turns text with a unit into a number."""

    def validate(value: object) -> Any:
        try:
            return parse(value)
        except quantities.UnitError as error:
            raise fault(str(error), error.remedy) from error

    validate.__doc__ = example
    return BeforeValidator(validate)


def _text_schema(example: str) -> WithJsonSchema:
    return WithJsonSchema({"type": ["string", "number"], "examples": [example]})


ParsedSeconds = Annotated[float, quantity(quantities.seconds, "75 s"), _text_schema("75 s")]
ParsedBitsPerSecond = Annotated[
    float, quantity(quantities.bits_per_second, "140 kbit/s"), _text_schema("140 kbit/s")
]
ParsedOctets = Annotated[int, quantity(quantities.octets, "16 KiB"), _text_schema("16 KiB")]
ParsedShare = Annotated[float, quantity(quantities.share, "5 %"), _text_schema("5 %")]
RateRange = Annotated[
    tuple[float, float],
    quantity(quantities.rate_range, "130..150 kbit/s"),
    WithJsonSchema({"type": "string", "examples": ["130..150 kbit/s"]}),
]
OctetsRange = Annotated[
    tuple[float, float],
    quantity(quantities.size_range, "12..20 KiB"),
    WithJsonSchema({"type": "string", "examples": ["12..20 KiB"]}),
]
ShareRange = Annotated[
    tuple[float, float],
    quantity(quantities.share_range, "30..70 %"),
    WithJsonSchema({"type": "string", "examples": ["30..70 %"]}),
]
TimeRange = Annotated[
    tuple[float, float],
    quantity(quantities.time_range, "10..40 min"),
    WithJsonSchema({"type": "string", "examples": ["10..40 min"]}),
]

_BY_NEWTYPE: dict[Any, Any] = {
    core.Seconds: ParsedSeconds,
    core.BitsPerSecond: ParsedBitsPerSecond,
    core.Octets: ParsedOctets,
    core.Share: ParsedShare,
}


HINTS = (
    "it can be str, int, float, bool, a Literal, Seconds, BitsPerSecond, Octets or Share of "
    "testbed.censor.units, a tuple or frozen dataclass of these, or one of these | None"
)


Words = Annotated[list[Text], BeforeValidator(as_list)]
OneOrMore = Annotated[
    Words,
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]


class HintError(TypeError):
    """A type that no value of a scenario file can have."""


class _OneOrMore:
    """Tells editors that a list of one may be written without brackets."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        found = handler(schema)
        return {"anyOf": [found["items"], found]} if "items" in found else found


def for_hint(hint: Any) -> Any:
    """The pydantic type for a type hint. HintError if there is none."""
    if hasattr(hint, "__metadata__"):
        inner, *marks = get_args(hint)
        return Annotated[(for_hint(inner), *(each for mark in marks for each in _for_mark(mark)))]
    if hint in _BY_NEWTYPE or hint in PARTS:
        return _BY_NEWTYPE.get(hint) or PARTS[hint]
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return Union[tuple(for_hint(argument) for argument in arguments)]  # noqa: UP007 - built at run time
    if origin is tuple and arguments[-1] is Ellipsis:
        return Annotated[tuple[(for_hint(arguments[0]), ...)], BeforeValidator(_as_tuple), _OneOrMore()]  # type: ignore[misc]
    if origin is tuple:
        items = tuple(for_hint(argument) for argument in arguments)
        return Annotated[tuple[items], BeforeValidator(_as_tuple)]  # type: ignore[valid-type]
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return Annotated[parameters_of(hint), AfterValidator(lambda part: hint(**given(part)))]
    if origin is Literal or hint in (str, int, bool, float, type(None)):
        return hint
    raise HintError(f"a value of a scenario file cannot have the type {getattr(hint, '__name__', hint)}")


def _for_mark(mark: Any) -> Iterator[Any]:
    """What pydantic does for a bound or form of `testbed.censor.units`."""
    if isinstance(mark, Between):
        yield Field(ge=mark.least, le=mark.most)
    elif isinstance(mark, AboveZero):
        yield AfterValidator(_above_zero)
    elif isinstance(mark, InOrder):
        yield AfterValidator(_in_order)
    elif isinstance(mark, AddressOf):
        yield AfterValidator(partial(_of_version, version=mark.version))
    elif isinstance(mark, Form):
        form = re.compile(mark.pattern)

        def check(value: object) -> object:
            if isinstance(value, str) and not form.fullmatch(value):
                raise fault(f"{shown(value)} is not {mark.what}", f"write one like {mark.example}")
            return value

        yield BeforeValidator(check)
        yield WithJsonSchema({"type": "string", "pattern": f"^{mark.pattern}$", "examples": [mark.example]})
    else:
        raise HintError(f"a value of a scenario file cannot be marked with {shown(mark)}")


def _above_zero(value: float) -> float:
    if value <= 0:
        raise fault("with 0 it would do nothing", "give it more")
    return value


def _in_order(pair: tuple[Any, Any]) -> tuple[Any, Any]:
    first, second = pair
    if first > second:
        raise fault(
            f"the first of {shown(list(pair))} is more than the second", "write the smaller one first"
        )
    return pair


def _of_version(text: str, version: int) -> str:
    """The address in its shortest form."""
    try:
        found = ip_address(text)
    except ValueError:
        found = None
    special = getattr(found, "scope_id", None) or getattr(found, "ipv4_mapped", None)
    if found is None or found.version != version or special:
        example = "192.0.2.53" if version == 4 else "2001:db8::53"
        raise fault(f"{shown(text)} is not an IPv{version} address", f"write one like {example}")
    return str(found)


class _OrOperator:
    """Tells editors of that word."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [{"const": OPERATOR}, handler(schema)]}


def _or_operator(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    """The word `operator` stands for the operator's own value, which its world has checked."""
    return value if value == OPERATOR else handler(value)


def parameters_of(kind: Any) -> type[BaseModel]:
    """A model of a dataclass' fields: unknown ones forbidden, units parsed."""
    may_be_operators = operators_parameters(kind)
    hints = get_type_hints(kind, include_extras=True)
    fields: dict[str, Any] = {}
    for field in dataclasses.fields(kind):
        default: Any = ... if field.default is dataclasses.MISSING else field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        found = for_hint(hints[field.name])
        if field.name in may_be_operators:
            found = Annotated[found, WrapValidator(_or_operator), _OrOperator()]
        fields[field.name] = (found, default)
    config = ConfigDict(extra="forbid", strict=True, defer_build=True)
    return create_model(kind.__name__, __config__=config, __doc__=(kind.__doc__ or "").strip(), **fields)


def given(model: BaseModel) -> dict[str, Any]:
    """The parameters that were written, parsed."""
    return {name: getattr(model, name) for name in model.model_fields_set}


def _as_tuple(value: object) -> object:
    listed = as_list(value)
    return tuple(listed) if isinstance(listed, list) else listed
