"""The checks, by subject, and every feature by name.

A check tries one feature: it returns what it saw, or raises Absent. To add a feature, list it in its module.
"""

from testbed.doctor.checks import filtering, links, namespaces, ownrules, programs, queueing, sockets
from testbed.doctor.feature import Feature, Need

_MODULES = (namespaces, links, filtering, queueing, sockets, ownrules, programs)

FEATURES: dict[str, Feature] = {
    feature.name: feature
    for need in Need  # the most important first
    for module in _MODULES
    for feature in module.FEATURES
    if feature.need is need
}
