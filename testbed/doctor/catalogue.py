"""Every feature that the doctor knows, by name. To add one, write its check and list it in its module."""

from testbed.doctor.checks import filtering, links, namespaces, programs, queueing, sockets
from testbed.doctor.feature import Feature, Need

_MODULES = (namespaces, links, filtering, queueing, sockets, programs)

FEATURES: dict[str, Feature] = {
    feature.name: feature
    for need in Need  # what matters most comes first
    for module in _MODULES
    for feature in module.FEATURES
    if feature.need is need
}
