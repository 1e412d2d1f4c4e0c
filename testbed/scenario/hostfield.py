"""`hosts:` as a field of world and scenario files: any mapping at first.

`hostparts` checks it, and only where there is one: building the models of all services takes time that every
run would pay.
"""

import re
from typing import Annotated, Any

from pydantic import GetJsonSchemaHandler
from pydantic_core import CoreSchema

from testbed.model import OUTSIDE
from testbed.scenario.values import Text

RESERVED_KEYS = (OUTSIDE, "all", "title", "backbone", "far", "lo")
HOST_KEY = re.compile(r"[a-z][a-z0-9-]{0,14}")  # becomes the name of an interface: at most 15 characters
HOST_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")


class _HostsSchema:
    @staticmethod
    def __get_pydantic_json_schema__(_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        from pydantic import TypeAdapter

        from testbed.scenario.hostparts import HostPart

        return handler(TypeAdapter(dict[str, HostPart]).core_schema)


HostsField = Annotated[dict[Text, Any], _HostsSchema]
