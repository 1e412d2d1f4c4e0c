"""DNS over HTTPS as JSON: questions by URL parameters, replies as Google's and Cloudflare's resolvers do.

https://developers.google.com/speed/public-dns/docs/doh/json, and application/dns-json of
https://developers.cloudflare.com/1.1.1.1/encryption/dns-over-https/make-api-requests/dns-json/
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.rdatatype
import dns.rrset

_FLAGS = {"TC": dns.flags.TC, "RD": dns.flags.RD, "RA": dns.flags.RA, "AD": dns.flags.AD, "CD": dns.flags.CD}
_TRUE = {"1", "true"}


def question_of(parameters: Mapping[str, Sequence[str]]) -> bytes:
    """The query for `name`, `type` (text or number, default A), `cd` and `do`. ValueError: what is wrong."""

    def first(key: str, default: str = "") -> str:
        return parameters.get(key, [default])[0]

    name, kind = first("name"), first("type", "A")
    if not name:
        raise ValueError("the parameter 'name' is missing")
    try:
        asked = dns.rdatatype.from_text(f"TYPE{kind}" if kind.isdecimal() else kind)
        query = dns.message.make_query(name, asked, want_dnssec=first("do").lower() in _TRUE)
    except (dns.exception.DNSException, ValueError) as error:
        raise ValueError(f"no question can be made of name {name!r} and type {kind!r}: {error}") from error
    if first("cd").lower() in _TRUE:
        query.flags |= dns.flags.CD
    return query.to_wire()


def json_of(reply: bytes) -> bytes:
    """A reply in wire format as a JSON object."""
    message = dns.message.from_wire(reply)
    found: dict[str, Any] = {"Status": int(message.rcode())}
    found |= {name: bool(message.flags & flag) for name, flag in _FLAGS.items()}
    found["Question"] = [{"name": each.name.to_text(), "type": int(each.rdtype)} for each in message.question]
    for section, rrsets in (("Answer", message.answer), ("Authority", message.authority)):
        if rrsets:
            found[section] = [record for rrset in rrsets for record in _records(rrset)]
    return json.dumps(found, separators=(",", ":")).encode()


def _records(rrset: dns.rrset.RRset) -> list[dict[str, Any]]:
    head = {"name": rrset.name.to_text(), "type": int(rrset.rdtype), "TTL": rrset.ttl}
    return [{**head, "data": rdata.to_text()} for rdata in rrset]
