"""Run by the tests as a subscriber: COUNT QUIC handshakes by aioquic with a name at an address.

Prints a JSON list: 0 for a handshake that completed, 28 (libcurl's code) for silence.
"""

import asyncio
import json
import os
import sys

from aioquic.asyncio import connect
from aioquic.h3.connection import H3_ALPN
from aioquic.quic.configuration import QuicConfiguration

DONE, TIMED_OUT = 0, 28


async def one(name: str, address: str, seconds: float, version: int) -> int:
    configuration = QuicConfiguration(
        is_client=True, alpn_protocols=H3_ALPN, server_name=name, supported_versions=[version]
    )
    configuration.load_verify_locations(os.environ["SSL_CERT_FILE"])
    try:
        async with asyncio.timeout(seconds), connect(address, 443, configuration=configuration) as client:
            await client.ping()
    except (TimeoutError, ConnectionError):
        return TIMED_OUT
    return DONE


async def main(name: str, address: str, count: str, seconds: str, version: str = "1") -> None:
    print(json.dumps([await one(name, address, float(seconds), int(version, 0)) for _ in range(int(count))]))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
