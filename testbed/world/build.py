"""Making a planned world: namespaces, links, addresses, routes, neighbours, settings.

By `ip -batch` and `tc -batch`, one process per namespace, started inside it. (Measured: 1.4 ms per namespace;
importing pyroute2 alone takes 190 ms, a third of what a whole run may take.)
"""

import os
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from testbed.errors import InvalidRunError, UnsupportedError
from testbed.world import linux
from testbed.world.netns import Namespace, inside
from testbed.world.offloads import Offloads
from testbed.world.plan import Link, Node, Plan
from testbed.world.settings import HOST, ROUTER, apply, keep_order

_BURST = (
    0.005  # seconds of a limited link's rate that may pass at once (our choice: small, far above timer steps)
)
_QUEUE = 0.1  # seconds of a limited link's rate that may wait (our choice)
_PACKET = (
    1514  # octets of a full packet with its Ethernet header: neither of the two may be smaller than some
)


@dataclass(frozen=True, slots=True)
class BuiltWorld:
    """A world that stands. It vanishes with the process that entered it; nobody need take it down."""

    plan: Plan
    namespaces: dict[str, Namespace]


def build(plan: Plan) -> BuiltWorld:
    """Build `plan` in the private namespaces that the caller has entered (see `testbed.world.enter`).

    Errors: InvalidRunError if the kernel refuses a step or offloads stay on; UnsupportedError for a missing
    program or kernel feature.
    """
    ip, tc = linux.program("ip", "iproute2"), None
    namespaces = {node.name: Namespace.create(node.name) for node in plan.nodes}
    cpus = _cpus(plan)
    for node in plan.nodes:
        with inside(namespaces[node.name]):
            apply(ROUTER if node.forwards else HOST)
            keep_order(cpus[node.name])
    _batch(ip, "links", map(_link, plan.links))
    shaped = {end.node for link in plan.links if link.quality.rate for end in (link.a, link.b)}
    if shaped:
        tc = linux.program("tc", "iproute2")
    offloads = Offloads()
    for node in plan.nodes:
        with inside(namespaces[node.name]):
            offloads.off(
                interface.name
                for link in plan.links
                for interface in (link.a, link.b)
                if interface.node == node.name
            )
            _batch(ip, node.name, _commands(plan, node))
            if tc and node.name in shaped:
                _batch(tc, node.name, _shapers(plan, node))
    return BuiltWorld(plan, namespaces)


def _cpus(plan: Plan) -> dict[str, int]:
    """Which CPU receives at each node: the core's on one, each operator's on one of the others, in turn."""
    first, *others = sorted(os.sched_getaffinity(0))
    numbers = {operator.key: number for number, operator in enumerate(plan.operators)}
    cpus = {}
    for node in plan.nodes:
        number = numbers.get(node.name.partition(".")[0])
        cpus[node.name] = first if number is None or not others else others[number % len(others)]
    return cpus


def _link(link: Link) -> str:
    a, b = link.a, link.b
    return (
        f"link add {a.name} netns {a.node} address {a.mac} type veth"
        f" peer name {b.name} netns {b.node} address {b.mac}"
    )


def _commands(plan: Plan, node: Node) -> list[str]:
    lines = ["link set lo up"]
    lines += [f"address add {address} dev lo scope global" for address in node.served]
    ends = [(near, far) for link in plan.links for near, far in link.ends if near.node == node.name]
    lines += [f"link set {near.name} up" for near, _ in ends]
    lines += [f"address add {address} dev {node.interface}" for address in node.addresses]
    for near, far in ends:  # no ARP, no neighbour discovery: nothing waits for them and no capture shows them
        for address in plan.node(far.node).addresses:
            lines.append(f"neighbour add {address} lladdr {far.mac} dev {near.name} nud permanent")
    for route in plan.routes:
        if route.node == node.name:
            way = f"dev {route.dev}" if route.dev else ""
            lines.append(
                f"route add {'' if way else 'unreachable '}{route.to} "
                + (f"via {route.via} {way} onlink" if route.via else way)
            )
    return lines


def _shapers(plan: Plan, node: Node) -> list[str]:
    lines = []
    for link in plan.links:
        for interface in (link.a, link.b):
            if interface.node == node.name and (rate := link.quality.rate):
                burst = max(round(rate / 8 * _BURST), 2 * _PACKET)
                queue = max(round(rate / 8 * _QUEUE), 10 * _PACKET)
                shaper = f"tbf rate {round(rate)}bit burst {burst} limit {queue}"
                lines.append(f"qdisc add dev {interface.name} root {shaper}")
    return lines


def _batch(program: str, where: str, lines: Iterable[str]) -> None:
    script = "\n".join(lines) + "\n"
    done = subprocess.run(
        [program, "-batch", "-"], input=script, text=True, capture_output=True, check=False, cwd="/"
    )
    if done.returncode or done.stderr:
        missing = "Unknown device type" in done.stderr or "qdisc kind is unknown" in done.stderr
        message = f"building {where}: {Path(program).name} said: {done.stderr.strip()}"
        raise UnsupportedError(message) if missing else InvalidRunError(message)
