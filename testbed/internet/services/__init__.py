"""The services that a host may run, by the name that files use. One file each.

The package stands below `scenario`, which reads the fields of these classes: a module here MUST NOT import
anything of ours but units and its base when it is itself imported.
"""

from typing import Final

from testbed.internet.services.base import Service
from testbed.internet.services.command import Command
from testbed.internet.services.discard import Discard
from testbed.internet.services.dns import Dns
from testbed.internet.services.doh import Doh
from testbed.internet.services.dot import Dot
from testbed.internet.services.echo import Echo
from testbed.internet.services.http3 import Http3
from testbed.internet.services.web import Web

__all__ = ["SERVICES", "Command", "Discard", "Dns", "Doh", "Dot", "Echo", "Http3", "Service", "Web"]

_ALL: Final[tuple[type[Service], ...]] = (Command, Discard, Dns, Doh, Dot, Echo, Http3, Web)

SERVICES: Final[dict[str, type[Service]]] = {service.key: service for service in _ALL}
