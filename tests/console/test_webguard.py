"""Which requests pass: by Host, Origin, and what the browser says of the site that asks."""

from typing import Any

import pytest

from testbed.console.webguard import POLICY, refusal

HERE = "127.0.0.1:8080"
HOSTS = {HERE, "localhost:8080"}
OWN = f"http://{HERE}"
FOREIGN = "a page of another site may not ask this"
REBOUND = "this is not the console's address"
UNSAID = "the request does not say which page it comes from"


def asked(kind: str = "http", method: str = "GET", **headers: str | list[str]) -> str:
    given = {"host": HERE, **{name.replace("_", "-"): value for name, value in headers.items()}}
    pairs = [
        (name.encode(), one.encode())
        for name, value in given.items()
        for one in ([value] if isinstance(value, str) else value)
    ]
    scope: dict[str, Any] = {"type": kind, "headers": pairs}
    return refusal({**scope, "method": method} if kind == "http" else scope, HOSTS)


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        ({}, ""),
        ({"host": "localhost:8080"}, ""),
        ({"host": "LOCALHOST:8080"}, ""),
        ({"host": "evil.example:8080"}, REBOUND),  # a name that was made to resolve to us
        ({"host": "127.0.0.1"}, REBOUND),
        ({"host": "127.0.0.1:8081"}, REBOUND),
        ({"host": []}, REBOUND),
        ({"host": [HERE, HERE]}, REBOUND),
        ({"origin": OWN}, ""),
        ({"origin": "http://localhost:8080"}, FOREIGN),  # of another host, though it is ours as well
        ({"origin": "https://evil.example"}, FOREIGN),
        ({"origin": "null"}, FOREIGN),
        ({"origin": [OWN, "https://evil.example"]}, FOREIGN),
        ({"sec_fetch_site": "none"}, ""),
        ({"sec_fetch_site": "same-origin"}, ""),
        ({"sec_fetch_site": "cross-site"}, FOREIGN),
        ({"sec_fetch_site": "same-site"}, FOREIGN),  # another port of this machine
        ({"method": "POST"}, UNSAID),
        ({"method": "POST", "origin": OWN}, ""),
        ({"method": "POST", "origin": "https://evil.example"}, FOREIGN),
        ({"kind": "websocket"}, UNSAID),
        ({"kind": "websocket", "origin": OWN}, ""),
        ({"kind": "websocket", "origin": "http://evil.example"}, FOREIGN),
        ({"kind": "websocket", "origin": OWN, "host": "evil.example:8080"}, REBOUND),
    ],
)
def test_what_passes(request_: dict[str, Any], why: str) -> None:
    assert asked(**request_) == why


def test_the_policy_allows_nothing_inline_and_nothing_from_outside() -> None:
    rules = dict(rule.strip().split(" ", 1) for rule in POLICY.split(";"))
    assert rules.pop("default-src") == "'none'"
    assert set(rules.values()) == {"'self'", "'none'"}
