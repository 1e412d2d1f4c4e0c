"""Shared by checks: running a program, sending datagrams over loopback."""

import shutil
import socket
import subprocess

from testbed.doctor.feature import Absent

PROGRAM_SECONDS = 4.0  # our choice


def run(*command: str, stdin: str = "") -> str:
    """Run a program and return its output. Absent with its first error line if it fails or is missing."""
    try:
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=PROGRAM_SECONDS, check=False
        )
    except PermissionError as error:  # also for an inaccessible folder in PATH
        why = "may not be started" if shutil.which(command[0]) else "is not installed"
        raise Absent(f"the program {command[0]} {why}") from error
    except FileNotFoundError as error:
        raise Absent(f"the program {command[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise Absent(f"{command[0]} did not end within {PROGRAM_SECONDS:g} s") from error
    if done.returncode:
        message = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise Absent(f"{command[0]}: {message[0] if message else f'exit status {done.returncode}'}")
    return done.stdout or done.stderr


def datagrams_through(count: int, size: int, *, family: int = socket.AF_INET, mark: int = 0) -> int:
    """Send datagrams with `size` bytes of payload over one loopback flow; return how many arrive."""
    host = "127.0.0.1" if family == socket.AF_INET else "::1"
    with (
        socket.socket(family, socket.SOCK_DGRAM) as receiver,
        socket.socket(family, socket.SOCK_DGRAM) as sender,
    ):
        receiver.bind((host, 0))
        receiver.settimeout(0.05)
        sender.bind((host, 0))
        if mark:
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
        for _ in range(count):
            try:
                sender.sendto(bytes(size), receiver.getsockname())
            except PermissionError:  # the sender also notices a drop in the output hook
                continue
        arrived = 0
        while arrived < count:
            try:
                receiver.recv(65536)
            except TimeoutError:
                break
            arrived += 1
        return arrived
