"""How a flow is looked at, by its model: which bytes are read, and when looking ends."""

from collections.abc import Callable
from typing import Final

from testbed.censor.decision import UP, Direction
from testbed.censor.flow import Flow
from testbed.censor.inspect import NOTHING, Content, Kind, Reading, Wanted, read_tcp, read_udp
from testbed.censor.match import CompiledRule
from testbed.censor.models import MODELS, Model
from testbed.censor.packet import SYN, TCP, Packet
from testbed.censor.parsers import Unread, http
from testbed.censor.parsers.certificate import server_names
from testbed.censor.profile import Profile
from testbed.censor.segments import FlowFacts, valid
from testbed.censor.stream import HANDSHAKE, Stream, whole_hello
from testbed.censor.unread import Watch

_PORT_DNS: Final = 53
_PATIENCE: Final = 64  # payload packets that model D waits for a ClientHello; our choice
_DATAGRAMS: Final = 8  # in which a QUIC ClientHello may come; our choice
_ANSWERS: Final = 4  # segments of a server in which a certificate is looked for; our choice

_UNREADABLE: Final = Reading((Content(Kind.UNREADABLE),))

Draw = Callable[[Flow, str], float]


class Inspector:
    """Reads flows as the profile's models do."""

    def __init__(
        self,
        profile: Profile,
        wanted: Wanted,
        rules: list[CompiledRule],
        draw: Draw,
        draw_by_pair: Draw,
        *,
        exempts: bool = False,
    ) -> None:
        """`draw` gives the same number for the same flow, `draw_by_pair` for the same two hosts.

        `exempts` says whether some rule exempts flows by what they show.
        """
        self._profile, self._wanted, self._draw, self._draw_by_pair = profile, wanted, draw, draw_by_pair
        self._shares = tuple((MODELS[key], share) for key, share in profile.models.value)
        self._rules = rules
        self._both = profile.both_directions.value
        self._stateless = profile.stateless.value
        self._joins = exempts and profile.allows_by_stream.value
        shown = any(model.checks or model.view == "stream" for model, _ in self._shares)
        self.needs_data_alone = not (shown or self._joins)
        """Segments without data tell it nothing: no model checks them, or puts a stream together."""

    def model_of(self, flow: Flow) -> Model:
        """The model of the node that this pair of hosts is led to."""
        if flow.model is None:
            point = self._draw_by_pair(flow, "node") if len(self._shares) > 1 else 0.0
            for model, share in self._shares:
                flow.model = model
                point -= share
                if point < 0:
                    break
        assert flow.model is not None
        return flow.model

    def takes(self, packet: Packet, direction: Direction, flow: Flow) -> bool:
        """Whether the model looks at this segment. It is shown every one, unless it needs data alone."""
        if packet.protocol != TCP or self.needs_data_alone:
            return True
        model = self.model_of(flow)
        if model.checks:
            flow.facts = flow.facts or FlowFacts()
            if not valid(packet, flow.facts.of(direction), model.checks):
                return False
        if (model.view == "stream" or self._joins) and direction is flow.asks:
            self._stream(flow, model).add(packet)
        return True

    def wants(self, packet: Packet, flow: Flow) -> bool:
        """Whether any content rule could match this flow."""
        if not flow.reading or flow.midway:
            return False
        here = self._wanted.on(flow.port)
        return here.tcp if packet.protocol == TCP else here.udp

    def reads(self, packet: Packet, direction: Direction, flow: Flow) -> bool:
        """Whether this packet can show anything."""
        if packet.end == packet.payload_at or (packet.flags & SYN and packet.protocol == TCP):
            return False
        return direction is UP or direction is flow.asks or self._both or self._answers(packet, flow)

    def look(self, packet: Packet, direction: Direction, flow: Flow) -> Reading:
        """What the packet, or the stream up to it, shows; decides whether later packets are looked at."""
        port = flow.port
        if packet.protocol != TCP:
            return self._datagram(packet, direction, flow, port)
        model = self.model_of(flow)
        if model.view == "bytes":
            return self._search(packet, direction, flow)
        if direction is not flow.asks and self._answers(packet, flow):
            return self._answer(packet, flow)
        if flow.inspection.decided:
            return NOTHING
        again = model.view == "flow" and flow.inspection.was_judged(packet, direction)
        if model.view == "stream" and direction is flow.asks:
            reading = self._read_stream(flow, model, port)
        elif again:
            reading = NOTHING
        else:
            reading = read_tcp(packet.payload, port, self._wanted, first=flow.inspection.budget is None)
            if model.view == "flow" and (self._stateless or not reading.decided):  # or nothing is read again
                flow.inspection.judge(packet, direction)
            self._watch_the_rest(reading, packet, direction, flow)
        # Each query is judged by itself, however many come.
        if not (again or port == _PORT_DNS or (not reading.decided and _asks(reading))):
            self._go_on(packet, flow, model, reading)
        if self._joins and model.view != "stream" and direction is flow.asks:
            whole = self._read_stream(flow, model, port)
            return reading._replace(more=whole.more and flow.reading, joined=whole.contents)
        return reading

    def _answers(self, packet: Packet, flow: Flow) -> bool:
        """Whether a certificate is looked for in the server's next segment."""
        wanted = packet.protocol == TCP and self._wanted.on(flow.port).certificate
        return wanted and flow.inspection.answers < _ANSWERS

    def _answer(self, packet: Packet, flow: Flow) -> Reading:
        """The names in a certificate; what else a server sends before its certificate is not read."""
        inspection = flow.inspection
        inspection.answers += 1
        names = server_names(packet.payload)
        if inspection.decided:
            flow.reading = not names and inspection.answers < _ANSWERS
        return Reading(tuple(Content(Kind.CERTIFICATE, name) for name in names), recognised=bool(names))

    def _search(self, packet: Packet, direction: Direction, flow: Flow) -> Reading:
        payload = packet.payload
        found = dict.fromkeys(name for rule in self._rules for name in rule.keywords(payload))
        if not found:
            self._watch_the_rest(NOTHING, packet, direction, flow)
        kinds = (Kind.TLS, Kind.HTTP)
        contents = [Content(kind, name, payload=payload, url=name) for name in found for kind in kinds]
        if self._wanted.on(flow.port).payload:
            contents.append(Content(Kind.PAYLOAD, payload=payload))
        return Reading(tuple(contents)) if contents else NOTHING

    def _read_stream(self, flow: Flow, model: Model, port: int) -> Reading:
        prefix = self._stream(flow, model).prefix
        if not prefix:
            return Reading(more=True)  # what came first is still missing
        beginning = whole_hello(prefix) if model.records else prefix
        return read_tcp(beginning, port, self._wanted, first=True)

    def _stream(self, flow: Flow, model: Model) -> Stream:
        inspection = flow.inspection
        if inspection.stream is None:
            inspection.stream = Stream(model.overlap, model.urgent)
        return inspection.stream

    def _datagram(self, packet: Packet, direction: Direction, flow: Flow, port: int) -> Reading:
        begun = flow.inspection.initial is not None and not self._stateless
        if direction is not flow.asks and begun:
            return NOTHING  # the server's answer to the first part of a ClientHello ends nothing
        reading = read_udp(packet.payload, port, self._wanted)
        here = self._wanted.on(port)
        initials = here.initial or here.unreadable
        if _asks(reading) or (port == _PORT_DNS and not initials):
            return reading
        # Only a flow's first datagram is judged (NTC1823 #11), but see `_initial`.
        flow.reading = self._stateless
        if initials:
            initial = self._initial(packet, flow)
            return Reading((*initial.contents, *reading.contents), recognised=True, more=flow.reading)
        return reading

    def _initial(self, packet: Packet, flow: Flow) -> Reading:
        """A QUIC ClientHello may come in several datagrams: reading goes on until it is whole."""
        # Decryption: only policies that name a QUIC SNI need it.
        from testbed.censor.parsers.quic import InitialReader, is_initial

        inspection = flow.inspection
        if inspection.initial is None or self._stateless:
            inspection.initial = InitialReader(self._profile.quic_layouts.value)
            inspection.budget = 1 if self._stateless else _DATAGRAMS
        hello = inspection.initial.feed(packet.payload)
        if isinstance(hello, Unread):
            inspection.budget = (inspection.budget or 1) - 1
            more = hello is Unread.MORE and inspection.budget > 0
            flow.reading = more or self._stateless
            if not more and inspection.watch is None and not self._stateless:
                inspection.watch = Watch()
            return NOTHING if more or not is_initial(packet.payload) else _UNREADABLE
        named = Content(Kind.INITIAL, hello.server_name or "", hello=hello)
        return Reading((named,) if hello.server_name else (named, *_UNREADABLE.contents), decided=True)

    def _watch_the_rest(self, reading: Reading, packet: Packet, direction: Direction, flow: Flow) -> None:
        """What begins in a form that this box does not read whole is put together for the report."""
        inspection = flow.inspection
        if inspection.begun or direction is not flow.asks:
            return
        inspection.begun = True
        early = flow.first is not None and packet.seq != flow.first
        if not reading.decided and (early or self._cut(packet.payload, flow.port)):
            inspection.watch = Watch(flow.first if early else packet.seq)

    def _cut(self, payload: bytes, port: int) -> bool:
        """Whether it is the beginning of what rules look for, of which the rest comes later or elsewhere."""
        if self._wanted.on(port).tls and payload.startswith(HANDSHAKE):
            return True
        return self._wanted.on(port).http and http.host(payload) is Unread.MORE

    def _go_on(self, packet: Packet, flow: Flow, model: Model, reading: Reading) -> None:
        if model.view == "packet" or self._stateless:
            return
        inspection = flow.inspection
        if reading.decided and self._answers(packet, flow):
            inspection.decided = True  # reading goes on for the certificate alone
        elif model.view == "first" or reading.decided:
            flow.reading = False
        elif model.view == "stream":
            full = inspection.stream is not None and inspection.stream.full
            flow.reading = (reading.more or reading.recognised) and not full
        elif inspection.budget is not None:
            inspection.budget -= 1
            flow.reading = inspection.budget > 0
        elif not model.gives_up:
            inspection.budget = _PATIENCE
        elif reading.recognised or packet.end - packet.payload_at <= self._profile.give_up_over.value:
            least, most = self._profile.extra_packets.value
            inspection.budget = least + int(self._draw(flow, "budget") * (most - least + 1))
        else:
            flow.reading = False


def _asks(reading: Reading) -> bool:
    """Whether it is a DNS query, on whatever port."""
    for content in reading.contents:  # noqa: SIM110 - a generator would cost more
        if content.kind is Kind.DNS:
            return True
    return False
