"""The first bytes that known clients send: ClientHellos and QUIC Initials."""
