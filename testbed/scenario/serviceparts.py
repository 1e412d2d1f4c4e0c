"""One entry of a host's `services:`, built from the service classes' own fields.

`- dns` without parameters, `- echo: {port: 7}` with some, `- echo: 7` with the first one alone. A class of
one's own is written `- my.py:Class: {…}`: its code is run when the file is loaded.
"""

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ValidationError,
    create_model,
)

from testbed.errors import InputError, nearest
from testbed.internet.services import SERVICES, Service
from testbed.scenario.document import Document
from testbed.scenario.plugin import Plugin, is_reference, load_class
from testbed.scenario.problems import Loc, Problems, explain, fault, shown
from testbed.scenario.values import given, parameters_of


def _spread(value: object) -> object:
    """`dns` -> {dns: {}}, and the checks that need the mapping as a whole."""
    if isinstance(value, str):
        value = {value: None}
    if not isinstance(value, dict):
        return value
    for key in value:
        if key not in SERVICES and not is_reference(key):
            raise fault(f"unknown service {key!r}", nearest(key, SERVICES))
    if len(value) != 1:
        raise fault(f"an entry is one service, not {len(value)}", "begin each with '- ' on a line of its own")
    key, parameters = next(iter(value.items()))
    return {key: _parameters(SERVICES[key], parameters) if key in SERVICES else parameters}


def _parameters(kind: type[Service], written: object) -> object:
    """A single value is the first parameter."""
    if written is None:
        return {}
    return written if isinstance(written, dict) else {dataclasses.fields(kind)[0].name: written}


def _services_model() -> type[BaseModel]:
    """One optional field per service: gives places of errors and the JSON Schema for free."""
    fields: dict[str, Any] = {key: (parameters_of(kind) | None, None) for key, kind in SERVICES.items()}
    config = ConfigDict(extra="allow", strict=True, defer_build=True)
    return create_model("ServiceCall", __config__=config, **fields)


if TYPE_CHECKING:
    ServiceModel = BaseModel
else:
    ServiceModel = _services_model()

ServicePart = Annotated[ServiceModel, BeforeValidator(_spread)]


def service_of(part: BaseModel, document: Document, loc: Loc, problems: Problems) -> Service | None:
    """The service that an entry describes; None if something is wrong with it (and noted)."""
    if part.model_extra:
        reference, raw = next(iter(part.model_extra.items()))
        return _plugin(reference, raw, document, (*loc, reference), problems)
    key = next(iter(part.model_fields_set))
    return _made(SERVICES[key], getattr(part, key), document, (*loc, key), problems)


def _made(
    kind: type[Service], part: BaseModel, document: Document, loc: Loc, problems: Problems
) -> Service | None:
    try:
        return kind(**given(part)).beside(document.folder.resolve())
    except (ValueError, TypeError) as error:
        message, _, remedy = str(error).partition("; ")
        problems.add(document, loc, message, remedy)
        return None


def _plugin(reference: str, raw: object, document: Document, loc: Loc, problems: Problems) -> Service | None:
    place = document.place(loc)
    try:
        plugin = load_class(document.folder, reference, place, Service, "a service", ("serve",))  # type: ignore[type-abstract]
        with plugin.running(place):
            model = parameters_of(plugin.value)
            try:
                part = model.model_validate(_parameters(plugin.value, raw))
            except ValidationError as error:
                for detail in error.errors(include_url=False):
                    problems.add(document, (*loc, *detail["loc"]), *explain(detail, model))
                return None
            made = _made(plugin.value, part, document, loc, problems)
            if made is not None:
                _check_ports(plugin, made, place)
            return made
    except InputError as error:
        problems.found.extend(error.problems)
    return None


def _check_ports(plugin: Plugin[type[Service]], service: Service, place: str) -> None:
    """What the class says of its ports has the right form: a class of one's own may answer with anything."""
    for name, found in (("ports", service.ports()), ("shown_by", service.shown_by())):
        if not isinstance(found, tuple) or not all(map(_is_listener, found)):
            message = f"{plugin.place}: {name}() of {plugin.value.__name__} returns {shown(found)}"
            remedy = 'write (("tcp", 17), ("udp", 17)): a tuple of transports and ports from 1 to 65535'
            raise InputError.at(place, message, remedy)


def _is_listener(found: object) -> bool:
    match found:
        case ("tcp" | "udp", int(port)):
            return 1 <= port <= 65535
    return False
