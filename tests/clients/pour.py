"""Run by the tests: random bytes over plain TCP, as netcat would send them.

pour.py serve ADDRESS PORT COUNT      sends COUNT bytes to whoever connects
pour.py fetch ADDRESS PORT SECONDS    prints how many came before the end, or before SECONDS of silence
"""

import random
import socket
import sys


def serve(address: str, port: int, count: int) -> None:
    with socket.create_server((address, port)) as listening:
        while True:
            connection, _ = listening.accept()
            with connection:
                connection.sendall(random.Random(count).randbytes(count))


def fetch(address: str, port: int, seconds: int) -> None:
    had = 0
    with socket.create_connection((address, port), timeout=seconds) as connection:
        try:
            while data := connection.recv(1 << 16):
                had += len(data)
        except TimeoutError:
            pass
    print(had)


if __name__ == "__main__":
    {"serve": serve, "fetch": fetch}[sys.argv[1]](sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
