"""tcp://NAME:443/: whether a connection opens."""

from typing import ClassVar

from testbed.measurement.target import ProbeKind, Steps, Target


class TcpKind(ProbeKind):
    """A connection, and nothing said on it."""

    scheme: ClassVar[str] = "tcp"
    form: ClassVar[str] = "tcp://NAME:443/"
    transport: ClassVar[str] = "tcp"
    any_port: ClassVar[bool] = True

    def measure(self, target: Target, steps: Steps) -> None:
        """DNS, TCP."""
        with steps.connect(target):
            pass
