"""Short forms for the policies of cases. `MissingMechanismError` names what does not exist yet."""

from collections.abc import Iterable
from dataclasses import fields, replace
from ipaddress import ip_network
from typing import Any

from testbed.censor.actions import ACTIONS
from testbed.censor.actions.base import AnyAction
from testbed.censor.match import KEYS
from testbed.censor.match.quic import QuicForm
from testbed.censor.names import NameList
from testbed.censor.policy import Match, Policy, Rule
from testbed.censor.profile import Profile
from testbed.censor.profiles import PROFILES
from testbed.censor.urls import UrlList
from testbed.conformance.case import MissingMechanismError
from testbed.conformance.payloads import X


def profile(name: str) -> Profile:
    """A profile by name."""
    if name not in PROFILES:
        raise MissingMechanismError(f"profile '{name}'")
    return PROFILES[name]


def action(key: str, **parameters: Any) -> AnyAction:
    """An action by the name that scenarios use."""
    if key not in ACTIONS:
        raise MissingMechanismError(f"action '{key}'")
    kind = ACTIONS[key]
    _known(kind, parameters, f"action '{key}'")
    return kind(**parameters)


def _known(kind: type, chosen: Iterable[str], what: str) -> None:
    has = {field.name for field in fields(kind)}
    for name in chosen:
        if name not in has:
            raise MissingMechanismError(f"{what} with '{name}'")


def names(*patterns: str) -> NameList:
    """A list of names."""
    return NameList(patterns)


def match(**parts: Any) -> Match:
    """A rule's match; `ip` may be text, name keys take one name or a list."""
    for name in parts.keys() - {each.replace(".", "_") for each in KEYS}:
        raise MissingMechanismError(f"match with '{name}'")
    for key in ("tls_sni", "tls_certificate", "http_host", "dns_qname", "quic_sni"):
        if isinstance(parts.get(key), str):
            parts[key] = names(parts[key])
    if "ip" in parts:
        listed = [parts["ip"]] if isinstance(parts["ip"], str) else parts["ip"]
        parts["ip"] = tuple(ip_network(one) for one in listed)
    if isinstance(parts.get("http_url"), str):
        parts["http_url"] = UrlList((parts["http_url"],))
    if parts.get("quic") is True:
        parts["quic"] = QuicForm()
    return Match(**parts)


def policy(box: str | Profile, *rules: tuple[Match, AnyAction], **more: Any) -> Policy:
    """A policy of these rules, in order, named r0, r1, …"""
    _known(Policy, more, "policy")
    made = tuple(Rule(f"r{number}", wanted, does) for number, (wanted, does) in enumerate(rules))
    return Policy("case", profile(box) if isinstance(box, str) else box, made, **more)


def sni(box: str | Profile, does: AnyAction, *patterns: str, **more: Any) -> Policy:
    """A policy with one rule by server name; without patterns, for the blocked name X."""
    return policy(box, (match(tls_sni=names(*(patterns or (X,)))), does), **more)


def with_model(name: str, model: str) -> Profile:
    """A profile whose inspector follows this model only."""
    base = profile(name)
    _known(Profile, ("models",), "profile")
    return replace(base, models=replace(base.models, value=((model, 1.0),)))
