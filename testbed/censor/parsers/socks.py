"""SOCKS greetings, which keep inspection going as TLS and HTTP do (IMC21 §6.2)."""


def looks_like_socks(payload: bytes) -> bool:
    """Whether the payload is a SOCKS4 request or a SOCKS5 greeting (RFC 1928 §3)."""
    if len(payload) >= 9 and payload[0] == 4 and payload[1] in (1, 2):
        return payload[-1] == 0
    return len(payload) >= 3 and payload[0] == 5 and payload[1] > 0 and len(payload) == 2 + payload[1]
