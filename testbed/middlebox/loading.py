"""Loading nftables rules of the laboratory's own, which watch links, in the current network namespace."""

import subprocess

from testbed.errors import UnsupportedError
from testbed.world.linux import program


def load_rules(script: str, purpose: str) -> None:
    """Have nft carry out `script`. Errors: UnsupportedError with the `purpose` and nft's words."""
    command = [program("nft", "nftables"), "-f", "-"]
    done = subprocess.run(command, input=script, text=True, capture_output=True, check=False)
    if done.returncode:
        raise UnsupportedError(f"{purpose}: nft: {done.stderr.strip()}")
