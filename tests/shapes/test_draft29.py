"""A conversation in draft-29 between two of our own connections, read by the censor's parser."""

from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import HandshakeCompleted

from testbed.censor.parsers.quic import ALL, InitialReader
from testbed.censor.parsers.quic_packet import DRAFT_29 as AS_THE_CENSOR_READS_IT
from testbed.censor.parsers.tls import ClientHello
from testbed.internet.authority import Authority, in_memory
from testbed.shapes.draft29 import DRAFT_29, DraftConnection, speak_draft_29

NAME = "twitter.com"


def pair(*, draft: bool) -> tuple[QuicConnection, QuicConnection, list[bytes]]:
    """Both ends after their conversation, and the client's datagrams. The server speaks both."""
    authority = Authority.create()
    near = QuicConfiguration(is_client=True, alpn_protocols=["h3"], server_name=NAME)
    near.load_verify_locations(cadata=authority.root_pem.encode())
    far = QuicConfiguration(is_client=False, alpn_protocols=["h3"])
    far.load_cert_chain(*map(in_memory, authority.certificate_for([NAME])))
    if draft:
        speak_draft_29(near, alone=True)
    speak_draft_29(far)
    client, sent = DraftConnection(configuration=near), list[bytes]()
    client.connect(("192.0.2.1", 443), now=0.0)
    first = [data for data, _ in client.datagrams_to_send(now=0.0)]
    server = DraftConnection(
        configuration=far, original_destination_connection_id=client.original_destination_connection_id
    )
    for now in range(1, 6):
        for data in first:
            server.receive_datagram(data, ("192.0.2.2", 50000), now=float(now))
        sent += first
        for data, _ in server.datagrams_to_send(now=float(now)):
            client.receive_datagram(data, ("192.0.2.1", 443), now=float(now))
        first = [data for data, _ in client.datagrams_to_send(now=float(now))]
    return client, server, sent


def completed(connection: QuicConnection) -> str | None:
    """The protocol of the finished handshake, None if there is none."""
    while event := connection.next_event():
        if isinstance(event, HandshakeCompleted):
            return event.alpn_protocol
    return None


def test_both_ends_finish_the_handshake_in_it() -> None:
    client, server, sent = pair(draft=True)
    assert (completed(client), completed(server)) == ("h3-29", "h3-29")
    assert {int.from_bytes(one[1:5], "big") for one in sent if one[0] & 0x80} == {DRAFT_29}


def test_the_censors_parser_reads_the_name_with_the_drafts_keys() -> None:
    assert DRAFT_29 == AS_THE_CENSOR_READS_IT
    _, _, sent = pair(draft=True)
    hello = InitialReader(ALL).feed(sent[0])
    assert isinstance(hello, ClientHello)
    assert hello.server_name == NAME


def test_version_1_stays_what_it_was_beside_it() -> None:
    client, server, sent = pair(draft=False)
    assert (completed(client), completed(server)) == ("h3", "h3")
    assert {int.from_bytes(one[1:5], "big") for one in sent if one[0] & 0x80} == {1}
