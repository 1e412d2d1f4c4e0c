"""The services that a host may run, by the name that files use. One file each, found by discovery.

The package is below `scenario`, which reads the fields of these classes: a module here MUST NOT import
anything of ours but units and its base when it is itself imported.
"""

from typing import Final

from testbed.censor.discovery import defined_in
from testbed.internet.services.base import Service

__all__ = ["SERVICES", "Service"]

SERVICES: Final[dict[str, type[Service]]] = {
    found.key: found
    for found in defined_in(__name__, __path__)
    if isinstance(found, type) and issubclass(found, Service) and found.key
}
