"""The profiles by name. What one does is data; the mechanisms are the core's."""

from typing import Final

from testbed.censor.profile import Profile
from testbed.censor.profiles.legacy import LEG_ACTIVE, LEG_DNS, LEG_PASSIVE
from testbed.censor.profiles.tspu import T21, T22, T22W

PROFILES: Final[dict[str, Profile]] = {
    profile.name: profile for profile in (LEG_PASSIVE, LEG_ACTIVE, LEG_DNS, T21, T22W, T22)
}
