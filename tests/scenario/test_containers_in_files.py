"""Containers as files name them: what is read, and what is wrong with it."""

from pathlib import Path

import pytest

from testbed.errors import InputError
from testbed.internet.services.container import Container
from testbed.run.job import Job
from testbed.run.podplaces import images_wanted, names_at, pod_places
from testbed.scenario.loader import load
from testbed.scenario.recipes import load_recipe

FILE = """
title: Beside
period: any
sources: [our choice]
operators: [mts, beeline]
hosts:
  away: {ipv4: 95.216.1.10, ipv6: "2a01:4f9:0:1::10", asn: 24940, services: [container: server]}
vantages:
  mts:
    - container:
        {name: proxy, image: tool, arguments: [--listen, "1080"], volumes: ["./data:/data:ro", "vol:/v"]}
    - command: sleep 900
phases: {free: {}}
default_phase: free
controls: ["https://vk.com/"]
"""


def scenario(folder: Path, text: str = FILE):
    path = folder / "beside.yaml"
    path.write_text(text)
    return load(path)


def test_what_runs_beside_a_subscriber(tmp_path: Path) -> None:
    made = scenario(tmp_path)
    beside = next(host for host in made.world.hosts if host.at == "mts")
    assert (beside.in_order, [one.key for one in beside.services]) == (True, ["container", "command"])
    assert beside.services[0] == Container(
        "tool",
        arguments=("--listen", "1080"),
        name="proxy",
        volumes=(f"{tmp_path.resolve()}/data:/data:ro", "vol:/v"),
    )
    assert names_at(made.world.hosts, "mts") == ("proxy",)
    assert names_at(made.world.hosts, "beeline") == ()


def test_which_images_are_wanted_where(tmp_path: Path) -> None:
    made = scenario(tmp_path)
    job, _ = Job(made, vantages=["mts"], pods="other").settled()
    wanted, needed = pod_places(made, job)
    assert wanted == {"away": ["server"], "mts": ["tool", "other"], "outside": ["other"]}
    assert needed == ["server", "tool", "other"]


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("  mts:\n", "  mtz:\n", "there is no vantage 'mtz'; did you mean 'mts'?"),
        ("name: proxy, image: tool", "name: A B, image: tool", "'A B' is not a host name"),
        ("image: tool,", "", "image"),
        ("image: tool", "image: tool, run: ./x", "'run' takes the place of the image's program"),
        ("image: tool", "image: tool, ready: {file: x}", "a container's files are not seen from outside"),
        ("command: sleep 900", "comand: sleep 900", "unknown service 'comand'; did you mean 'command'?"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, before: str, after: str, message: str) -> None:
    with pytest.raises(InputError) as refused:
        scenario(tmp_path, FILE.replace(before, after, 1))
    assert message in str(refused.value)


def test_images_of_a_recipe(tmp_path: Path) -> None:
    path = tmp_path / "boxed.yaml"
    path.write_text(
        "client: [container: tool]\nserver: [container: server]\n"
        "fetch: {run: 'curl $TESTBED_TARGET', image: client}\n"
    )
    assert images_wanted(load_recipe(path)) == ("tool", "client", "server")
