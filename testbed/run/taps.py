"""Where a run's packets are captured: at each client, before and behind each censor, at the servers."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from testbed.model import OUTSIDE, Placement
from testbed.model.addressing import twin
from testbed.run.places import hop_of
from testbed.world.build import BuiltWorld
from testbed.world.ring import CapturePoint

FOLDER: Final = "capture"  # in the run folder, while it runs
POINTS: Final = "points.json"
KEYS: Final = "keys.log"


def capture_points(
    world: BuiltWorld, operators: Sequence[str], placements: Sequence[Placement]
) -> list[CapturePoint]:
    """The points of a world, the client's first. Censors on one hop share theirs, those of all phases too."""
    there, found = world.namespaces, list[CapturePoint]()

    def add(name: str, description: str, node: str, interface: str) -> None:
        if node in there:
            found.append(CapturePoint(name, description, there[node], interface))

    for vantage in (*operators, OUTSIDE):
        add(f"client.{vantage}", f"the subscriber of {vantage}", vantage, "eth0")
        add(f"client.{twin(vantage)}", f"its twin, for controls at {vantage}", twin(vantage), "eth0")
    hops: dict[str, list[str]] = {}
    for place in placements:
        if place.at == "hop":
            there_too = hops.setdefault(hop_of(place), [])
            there_too += [place.name] if place.name not in there_too else []
        elif f"resolver.{place.operator}" not in (one.name for one in found):
            add(
                f"resolver.{place.operator}",
                f"{place.name}, a lying resolver",
                f"{place.operator}.resolver",
                "eth0",
            )
    for hop, censors in hops.items():
        names = ", ".join(censors)
        add(f"pre-censor.{hop}", f"the client's side of {names}", hop, "in")
        add(f"post-censor.{hop}", f"the server's side of {names}", hop, "out")
    for server in ("far", "domestic", *(host.key for host in world.plan.world.hosts if not host.at)):
        add(f"server.{server}", f"the servers of {server}", server, "eth0")
    return found


def write_points(folder: Path, points: Sequence[CapturePoint], placements: Sequence[Placement]) -> None:
    """Write what whoever reads the recording must know of each point."""
    found = [
        {
            "name": point.name,
            "description": point.description,
            "censors": list(
                dict.fromkeys(
                    place.name
                    for place in placements
                    if point.name.endswith(
                        f"-censor.{hop_of(place)}" if place.at == "hop" else f"resolver.{place.operator}"
                    )
                )
            ),
        }
        for point in points
    ]
    (folder / POINTS).write_text(json.dumps(found), "utf-8")


def capture_folder(run: Path) -> Path:
    """Where the recording is until it has become capture.pcapng."""
    folder = run / FOLDER
    folder.mkdir(exist_ok=True)
    return folder
