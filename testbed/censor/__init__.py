"""The pure core of a censor: packet in, decision out.

Nothing here touches a socket, a clock, a file, a thread or global randomness: time and seed are
parameters, so the same packets give the same decisions, live, in a replay and in a test.
"""
