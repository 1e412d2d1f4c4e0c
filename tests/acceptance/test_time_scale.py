"""A residual time of 420 seconds, lived through in one."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.conftest import Done

pytestmark = pytest.mark.world

SCENARIO = """
title: A long memory
period: any
sources: [our choice]
operators: [mts]
censors:
  box:
    profile: t22
    rules: [{name: rule, match: {tls.sni: [twitter.com]}, action: {drop: {residual: 420 s}}}]
phases: {p: {mts: box}}
default_phase: p
expect: [{target: "https://twitter.com/", outcome: tls.sni.drop, by: rule}]
controls: ["https://vk.com/"]
"""

# The same source port: first a listed name, then, after a while, a connection with no name at all.
CLIENT = """
import socket, ssl, struct, time
def connect(limit):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.bind(("", 45000))
    s.settimeout(limit)
    s.connect(("104.244.42.1", 443))
    return s
def answers(limit):
    try:
        connect(limit).close()
        return "alive"
    except TimeoutError:
        return "dead"
first = connect(3)
first.settimeout(0.3)
try:
    ssl.create_default_context().wrap_socket(first, server_hostname="twitter.com")
except OSError:
    pass
first.close()
print(answers(0.3))
time.sleep(1.2)
print(answers(0.5))
"""


@pytest.mark.parametrize(("scale", "seen"), [("420", ["dead", "alive"]), ("1", ["dead", "dead"])])
def test_residual_blocking_ends_in_the_censors_time(
    testbed: Callable[..., Done], tmp_path: Path, scale: str, seen: list[str]
) -> None:
    path = tmp_path / "memory.yaml"
    path.write_text(SCENARIO)
    run = (str(path), "--vantage", "mts", "--time-scale", scale)
    done = testbed(*run, "--", sys.executable, "-c", CLIENT)
    assert done.status == 0, done.err
    assert done.out.split() == seen
