"""greeting://NAME:PORT/: what a server answers to an empty line, whatever protocol it speaks."""

from typing import ClassVar

from testbed.measurement.target import ProbeKind, Steps, Target


class Greeting(ProbeKind):
    """Connects, sends an empty line and waits for the first bytes. Servers that speak first are heard too."""

    scheme: ClassVar[str] = "greeting"
    form: ClassVar[str] = "greeting://NAME:PORT/"
    transport: ClassVar[str] = "tcp"
    any_port: ClassVar[bool] = True

    def measure(self, target: Target, steps: Steps) -> None:
        """DNS, TCP, and the first bytes."""
        with steps.connect(target) as connection:
            steps.step = "greeting"
            connection.send(b"\r\n\r\n")
            first = connection.receive()
            if not first:
                raise EOFError
            steps.note("x_greeting", first[:80].decode("latin-1"))
