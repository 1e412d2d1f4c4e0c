"""That nothing gets through a dead link, counted by the kernel behind the delay line, which drops it."""

from testbed.errors import InvalidRunError
from testbed.middlebox import netfilter
from testbed.middlebox.loading import load_rules
from testbed.world.build import BuiltWorld
from testbed.world.delay import directions
from testbed.world.netns import inside
from testbed.world.plan import Interface

_TABLE = "dead_links"
_PURPOSE = "watching dead links"
_BEHIND = -149  # priority; the delay line is at -150 (mangle)
_PROTOCOL = {4: ("ipv4", "ip daddr != 224.0.0.0/4"), 6: ("ipv6", "ip6 daddr != ff00::/8")}

_Watched = tuple[Interface, Interface, tuple[int, ...]]  # sending end, the end that holds, dead IP versions


class DeadLinks:
    """The dead links of a world, watched from `begin` to `end`."""

    def __init__(self) -> None:
        self._watched: list[_Watched] = []

    def begin(self, world: BuiltWorld) -> None:
        """Count from now on what passes dead links. Errors: UnsupportedError."""
        found = [(near, held, each[0].dead) for near, held, each in directions([world.plan])]
        self._watched = [one for one in found if one[2]]
        for node in dict.fromkeys(held.node for _, held, _ in self._watched):
            with inside(world.namespaces[node]):
                load_rules(_script(self._watched, node), _PURPOSE)

    def end(self, world: BuiltWorld) -> list[str]:
        """A sentence for each direction of a dead link that something passed. Errors: InvalidRunError."""
        problems = []
        for node in dict.fromkeys(held.node for _, held, _ in self._watched):
            with inside(world.namespaces[node]):
                passed = netfilter.counters("inet", _TABLE)
                load_rules(f"delete table inet {_TABLE}\n", _PURPOSE)
            for number, (near, held, versions) in enumerate(self._watched):
                for version in versions if held.node == node else ():
                    name = _counter(number, version)
                    if name not in passed:
                        raise InvalidRunError(f"{near}: what passed the dead link was not counted")
                    if passed[name]:
                        problems.append(f"{near}: {passed[name]} IPv{version} packets passed a dead link")
        self._watched = []
        return problems


def _counter(number: int, version: int) -> str:
    return f"passed{number}v{version}"


def _script(watched: list[_Watched], node: str) -> str:
    counters: list[str] = []
    sent: list[str] = []
    arrived: list[str] = []
    for number, (near, held, versions) in enumerate(watched):
        for version in versions if held.node == node else ():
            protocol, ordinary = _PROTOCOL[version]
            counters.append(f"counter {_counter(number, version)} {{ }}")
            chain, key = (sent, "oifname") if held == near else (arrived, "iifname")
            rule = f'{key} "{held.name}" meta nfproto {protocol} {ordinary}'
            chain.append(f"{rule} counter name {_counter(number, version)}")
    chains = [
        f"chain {hook} {{ type filter hook {hook} priority {_BEHIND}; {'; '.join(rules)}; }}"
        for hook, rules in (("postrouting", sent), ("prerouting", arrived))
        if rules
    ]
    return "\n".join([f"table inet {_TABLE} {{", *counters, *chains, "}", ""])
