"""The profiles by name. What one does is data; the mechanisms are the core's."""

from typing import Final

from testbed.censor.profile import Profile
from testbed.censor.profiles.legacy import LEG_ACTIVE, LEG_DNS, LEG_MITM, LEG_PASSIVE
from testbed.censor.profiles.tspu import MOB_WL, OUTAGE, T21, T22, T22W, T23, T24, T25, T26

PROFILES: Final[dict[str, Profile]] = {
    profile.name: profile
    for profile in (
        LEG_PASSIVE,
        LEG_ACTIVE,
        LEG_DNS,
        LEG_MITM,
        T21,
        T22W,
        T22,
        T23,
        T24,
        T25,
        T26,
        MOB_WL,
        OUTAGE,
    )
}
