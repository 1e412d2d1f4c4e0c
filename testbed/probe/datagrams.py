"""Datagrams to one server and port, each logged."""

import select
import socket

from testbed.measurement.target import endpoint_text
from testbed.probe import failure
from testbed.probe.log import MeasurementLog

_LARGEST = 65535


class UdpConnection:
    """A UDP socket that is connected: only the server's datagrams come. `silence`: seconds without one."""

    def __init__(self, log: MeasurementLog, address: tuple[str, int], silence: float) -> None:
        self.log, self.silence, self.where = log, silence, endpoint_text(*address)
        self.sock = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_DGRAM)
        self._address = address

    def connect(self) -> None:
        """Take a port; nothing is sent. Raises what the kernel says."""
        begun = self.log.now()
        self.sock.connect(self._address)
        self.log.flow(self.sock, self.where)
        self.log.event("connect", begun, address=self.where, proto="udp")

    def send(self, data: bytes) -> None:
        """Send one datagram."""
        begun = self.log.now()
        try:
            size = self.sock.send(data)
        except OSError as error:
            self.log.event("write", begun, address=self.where, proto="udp", failure=failure.of(error))
            raise
        self.log.event("write", begun, address=self.where, proto="udp", size=size)

    def receive(self) -> bytes:
        """The next datagram; TimeoutError on silence."""
        begun = self.log.now()
        try:
            poll = select.poll()
            poll.register(self.sock, select.POLLIN)
            if not poll.poll(self.silence * 1000):
                raise TimeoutError
            data = self.sock.recv(_LARGEST)
        except OSError as error:
            self.log.event("read", begun, address=self.where, proto="udp", failure=failure.of(error))
            raise
        self.log.event("read", begun, address=self.where, proto="udp", size=len(data))
        return data

    def close(self) -> None:
        """Close the socket."""
        self.sock.close()
