"""Scenario and recipe files with containers of the tests' image, whose tool is this project's own proxy."""

import json
import sys
from pathlib import Path

from tests.clients import engines

ROOT = Path(__file__).resolve().parents[2]
_SEEN = sorted(
    {f"{folder}:{folder}:ro" for folder in (str(ROOT), sys.prefix, sys.base_prefix, "/usr/lib", "/lib")}
)
TOOL = {
    "image": engines.IMAGE,
    "run": f"cd {ROOT} && exec {sys.prefix}/bin/python -m testbed.evade --listen 127.0.0.1:1080 $CUT",
    "volumes": _SEEN,
    "ready": {"tcp": 1080},
}


def pod(folder: Path) -> Path:
    """A scenario: at MTS a container that is a proxy, a command and a container that use it by its name."""
    curl = "curl -s -o /dev/null -x socks5h://proxy:1080 https://vk.com/"
    ask = curl + " -w '{} %{{http_code}}\\n'; exec sleep 900"
    beside = [
        {"container": {**TOOL, "name": "proxy", "environment": ["CUT=records:name"]}},
        {"command": {"run": ask.format("command"), "ready": {"output": "command 200"}}},
        {
            "container": {
                "image": engines.IMAGE,
                "arguments": ["sh", "-c", ask.format("container")],
                "ready": {"output": "container 200"},
            }
        },
    ]
    return _written(
        folder / "pod.yaml",
        title="A proxy and two that use it",
        period="any",
        sources=["our choice"],
        operators=["mts"],
        vantages={"mts": beside},
        phases={"free": {}},
        default_phase="free",
        controls=["https://vk.com/"],
    )


def recipe(folder: Path, name: str = "boxed", image: str = engines.IMAGE) -> Path:
    """A recipe whose tool and whose client are containers."""
    fetch = 'exec curl -s -o /dev/null -x socks5h://127.0.0.1:1080 "$TESTBED_TARGET"'
    return _written(
        folder / f"{name}.yaml",
        title="A tool and its client, each in a container",
        fetch={"run": fetch, "image": image},
        grid={"CUT": ["records:name"]},
        client=[{"container": {**TOOL, "image": image}}],
    )


def _written(path: Path, **keys: object) -> Path:
    path.write_text(json.dumps(keys))  # JSON is YAML
    return path
