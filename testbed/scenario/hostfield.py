"""`hosts:` as a field of world and scenario files: any mapping at first.

`hostparts` checks it, and only where there is one: building the models of all services takes time that every
run would pay.
"""

from typing import Annotated, Any

from pydantic import GetJsonSchemaHandler
from pydantic_core import CoreSchema

from testbed.scenario.values import Text


class _HostsSchema:
    @staticmethod
    def __get_pydantic_json_schema__(_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        from pydantic import TypeAdapter

        from testbed.scenario.hostparts import HostPart

        return handler(TypeAdapter(dict[str, HostPart]).core_schema)


class _VantagesSchema:
    @staticmethod
    def __get_pydantic_json_schema__(_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        from pydantic import TypeAdapter

        from testbed.scenario.hostparts import VantageServices

        return handler(TypeAdapter(dict[str, VantageServices]).core_schema)


VantagesField = Annotated[dict[Text, Any], _VantagesSchema]
HostsField = Annotated[dict[Text, Any], _HostsSchema]
