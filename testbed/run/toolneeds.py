"""What this machine lacks for a recipe."""

import os
from importlib.util import find_spec

from testbed.model import Recipe
from testbed.model.abilities import ABILITIES
from testbed.vantage.environment import SBIN
from testbed.vantage.programs import PACKAGES, ProgramError, find_program
from testbed.world.capable import lacking

_MORE_PACKAGES = {"obfs4proxy": "obfs4proxy", "ss-server": "shadowsocks-libev", **PACKAGES}


def missing(recipe: Recipe) -> str:
    """What this machine lacks for a recipe, by name; "" if nothing."""
    path = {"PATH": os.pathsep.join([os.environ.get("PATH", os.defpath), *SBIN])}
    found = []
    for program in recipe.programs:
        try:
            find_program(program, path)
        except ProgramError:
            package = _MORE_PACKAGES.get(program)
            found.append(f"{program} is not installed" + (f" (apt-get install {package})" if package else ""))
    found += [
        f"Python's module {module} is not installed" for module in recipe.modules if not find_spec(module)
    ]
    found += [
        f"{device} is not there, or not open to this user"
        for device in recipe.devices
        if not os.access(device, os.R_OK | os.W_OK)
    ]
    needed = [*recipe.needs, *recipe.way.needs, *(["users"] if recipe.changes_user else [])]
    found += [f"{ABILITIES[name].title}: {why} (see testbed doctor)" for name, why in lacking(needed).items()]
    return "; ".join(found)
