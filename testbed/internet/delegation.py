"""Asking the server of a delegated zone, as a resolver does for its clients."""

from collections.abc import Mapping, Sequence
from ipaddress import ip_address

import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.rcode

_PORT = 53
_PATIENCE = 5.0  # seconds for one server: our choice


def servers_for(query: bytes, delegations: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """The addresses of the server that has the name asked for; () if no delegated zone has it."""
    try:
        message = dns.message.from_wire(query, question_only=True)
    except (dns.exception.DNSException, ValueError):
        return ()
    if len(message.question) != 1 or message.flags & dns.flags.QR:
        return ()
    labels = message.question[0].name.to_text(omit_final_dot=True).lower().split(".")
    suffixes = (".".join(labels[at:]) for at in range(len(labels)))
    return next((delegations[suffix] for suffix in suffixes if suffix in delegations), ())


async def ask_server(query: bytes, servers: Sequence[str]) -> bytes:
    """The reply of the first of `servers` that gives one, over TCP if UDP cuts it; SERVFAIL if none does."""
    asked = dns.message.from_wire(query)
    asked.flags &= ~dns.flags.RD
    for server in sorted(servers, key=lambda text: ip_address(text).version):
        try:
            reply, _ = await dns.asyncquery.udp_with_fallback(asked, server, _PATIENCE, _PORT)
        except (OSError, EOFError, dns.exception.DNSException):
            continue
        reply.flags |= dns.flags.RA | (dns.message.from_wire(query).flags & dns.flags.RD)
        reply.flags &= ~dns.flags.AA
        return reply.to_wire()
    failed = dns.message.make_response(dns.message.from_wire(query), recursion_available=True)
    failed.set_rcode(dns.rcode.SERVFAIL)
    return failed.to_wire()
