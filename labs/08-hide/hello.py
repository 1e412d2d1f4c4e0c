"""One ClientHello with a name of your choice, over TCP or as a QUIC Initial, with ECH's extension or without.

    "$TESTBED_PYTHON" hello.py NAME [--at ADDRESS] [--quic] [--ech]

It says whether anything came back. The encrypted part is random bytes: no server has the key, so a server
goes on with the outer name (RFC 9849 7.1), and any answer shows that the hello has arrived.
"""

import argparse
import os
import socket
import struct

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from testbed.shapes.hellobytes import (
    X25519,
    extension,
    hello_of,
    numbers,
    outer_ech,
    protocols,
    record,
    server_name,
    vector,
)
from testbed.shapes.initials import crypto, initial_packet

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("name")
parser.add_argument("--at", metavar="ADDRESS", help="the server's address; default: the name's")
parser.add_argument("--quic", action="store_true")
parser.add_argument("--ech", action="store_true")
given = parser.parse_args()

if "TESTBED_LAB_FOLDER" not in os.environ:
    parser.error("run it in the lab's shell: testbed lab start 8")
key = X25519PrivateKey.generate().public_key().public_bytes_raw()
extensions = [
    server_name(given.name),
    extension(0x0A, numbers((X25519,))),
    extension(0x0D, numbers((0x0403, 0x0804, 0x0401))),
    protocols("h3") if given.quic else protocols("h2", "http/1.1"),
    extension(0x2B, b"\2\3\4"),
    extension(0x2D, b"\1\1"),
    extension(0x33, vector(struct.pack("!HH", X25519, len(key)) + key, 2)),
]
if given.quic:
    extensions.append(extension(0x39, b"\x0f\0"))
if given.ech:
    extensions.append(outer_ech(144))
hello = hello_of(extensions, (0x1301, 0x1302, 0x1303), session=0 if given.quic else 32)
where = (given.at or socket.getaddrinfo(given.name, 443, socket.AF_INET)[0][4][0], 443)
kind = socket.SOCK_DGRAM if given.quic else socket.SOCK_STREAM
with socket.socket(socket.AF_INET, kind) as line:
    line.settimeout(4)
    try:
        line.connect(where)
        line.sendall(initial_packet(crypto(hello, 0), dcid=os.urandom(8)) if given.quic else record(hello))
        came = line.recv(4096)
        print(f"{len(came)} bytes came back" if came else "the connection was closed")
    except ConnectionResetError:
        print("reset")
    except TimeoutError:
        print("silence")
