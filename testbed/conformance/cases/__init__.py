"""The cases, by subject. Importing this package fills `testbed.conformance.case.CASES`."""

from testbed.conformance.cases import actions, degraded, handovers, legacy, models, parsing, rules, state, udp

SUBJECTS = (parsing, actions, state, handovers, udp, degraded, legacy, rules, models)
