"""The profiles by name, found by discovery. A profile is data; the mechanisms are the core's."""

from typing import Final

from testbed.censor.discovery import defined_in
from testbed.censor.profile import Profile

PROFILES: Final[dict[str, Profile]] = {
    found.name: found for found in defined_in(__name__, __path__) if isinstance(found, Profile)
}
