"""The reference detector: step-by-step measurement in OONI's data format. It never reads a policy.

Nothing is imported here: `testbed.probe.measure` loads DNS and TLS, and QUIC only for h3:// targets.
"""
