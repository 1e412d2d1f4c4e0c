"""The cases, by subject. Importing this package fills `testbed.conformance.case.CASES`."""

from testbed.conformance.cases import actions, degraded, legacy, models, parsing, state, udp

__all__ = ["actions", "degraded", "legacy", "models", "parsing", "state", "udp"]
