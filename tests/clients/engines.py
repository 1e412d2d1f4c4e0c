"""A container engine of the tests' own, with an image made of this machine's programs; nothing is fetched."""

import io
import os
import shutil
import socket
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

IMAGE = "testbed-test-image"
PROGRAMS = ("bash", "cat", "curl", "env", "id", "ip", "ls", "sleep", "stty", "traceroute")
GIVEN = "TESTBED_TEST_ENGINE"
"""A variable: the address of an engine that runs already, as Podman's, "unix:///run/podman/podman.sock"."""
_DAEMON = "dockerd"
_OPTIONS = ("--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false")


def lacking() -> str:
    """Why no engine can be started here; "" if one can, or runs already."""
    if os.environ.get(GIVEN):
        return ""
    if os.geteuid():
        return "an engine of our own needs root"
    return "" if shutil.which(_DAEMON) else f"no {_DAEMON} on this machine (Debian: docker.io)"


@contextmanager
def started() -> Iterator[str]:
    """Start dockerd in a network namespace of its own, with the image in it; its address. Ends it.

    Where GIVEN names an engine, that gets the image, and goes on running.
    """
    if given := os.environ.get(GIVEN):
        _load(given, Path(os.devnull))
        yield given
        return
    with tempfile.TemporaryDirectory() as folder:
        place = f"unix://{folder}/socket"
        line = [_DAEMON, "--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec", "-H", place]
        with Path(folder, "log").open("wb") as log:
            daemon = subprocess.Popen(
                ["unshare", "--net", "--mount", *line, "-p", f"{folder}/pid", *_OPTIONS],
                stdout=log,
                stderr=log,
            )
        try:
            _load(place, Path(folder, "log"))
            yield place
        finally:
            daemon.terminate()
            daemon.wait(30)


def _load(place: str, log: Path) -> None:
    import docker

    end = time.monotonic() + 60
    while not _listens(place.removeprefix("unix://")):
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.1)
    client = docker.DockerClient(base_url=place)
    if not client.images.list(IMAGE):
        client.api.import_image_from_data(_image(), repository=IMAGE)
    client.close()


def _listens(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as any_socket:
        return any_socket.connect_ex(path) == 0


def _image() -> bytes:
    """A tar of the programs, what they load, and /bin/sh."""
    found = {"bin/sh": shutil.which("bash")}
    for name in PROGRAMS:
        found[f"usr/bin/{name}"] = shutil.which(name)
        assert found[f"usr/bin/{name}"], name
    loaded = {library for program in found.values() for library in _loads(program or "")}
    loaded |= set(map(str, Path("/lib").glob("*-linux-gnu/libnss_dns.so.2")))
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", dereference=True) as tar:
        for place, source in {**found, **{path.lstrip("/"): path for path in loaded}}.items():
            tar.add(source or "", place)
        for folder in ("tmp", "etc", "proc", "sys", "dev"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
    return data.getvalue()


def _loads(program: str) -> list[str]:
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    return [word for word in listed.split() if word.startswith("/")]
