"""Forged resets, for every action that injects some."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from testbed.censor.actions.base import Context
from testbed.censor.decision import Injection
from testbed.censor.units import Between, HeaderWord
from testbed.censor.wire import IpForm, reset_receiver, reset_sender

ResetTtl = Annotated[int, Between(1, 255)]  # with 0 no router would pass the packet on
AckError = Annotated[int, Between(-(2**31), 2**31 - 1)]
End = Literal["client", "server", "both"]


@dataclass(frozen=True, slots=True)
class Resets:
    """What an action writes into the RST/ACKs that it injects; fields left out are the profile's."""

    ttl: ResetTtl | None = None  # hop limit at the box
    ip_id: HeaderWord | None = None
    window: HeaderWord | None = None
    ack_error: AckError = 0  # added to the acknowledgement number

    def made(self, ctx: Context[Any], to: End, *, delivered: bool) -> tuple[Injection, ...]:
        """RST/ACKs to ends of the packet's flow; the client is who opened it.

        `delivered` says whether the packet's receiver gets the packet itself, too.
        """
        form = ctx.profile.reset.value
        ip_form = IpForm(
            form.hop_limit if self.ttl is None else self.ttl,
            form.ip_id if self.ip_id is None else self.ip_id,
            form.dont_fragment,
        )
        window = form.window if self.window is None else self.window
        back, on, error = ctx.direction.back, ctx.direction, self.ack_error
        to_sender = Injection(reset_sender(ctx.packet, ip_form, window, error), back)
        to_receiver = Injection(reset_receiver(ctx.packet, ip_form, window, error, delivered=delivered), on)
        client_sent = ctx.direction is ctx.flow.asks
        to_client, to_server = (to_sender, to_receiver) if client_sent else (to_receiver, to_sender)
        return {"client": (to_client,), "server": (to_server,), "both": (to_client, to_server)}[to]
