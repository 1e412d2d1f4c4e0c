"""The cases, by subject. Importing this package fills `testbed.conformance.case.CASES`."""

from testbed.conformance.cases import actions, degraded, legacy, models, parsing, state, udp

SUBJECTS = (parsing, actions, state, udp, degraded, legacy, models)
