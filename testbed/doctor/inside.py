"""The process that tries features, each in a forked child: `python -m testbed.doctor.inside NAME…`.

Prints one JSON line per feature: name, present, detail, remedy. It is a process of its own, because checks
fork and unshare, which a process with threads (a test runner) must not do.
"""

import json
import os
import sys
from functools import partial
from typing import Any

from testbed.doctor import sandbox
from testbed.doctor.checks import FEATURES
from testbed.doctor.feature import Absent, Feature
from testbed.errors import InvalidRunError
from testbed.world.children import call

CHECK_SECONDS = 5.0  # our choice: the slowest check here takes 0.3 s
NAMESPACES_FIRST = "get the namespaces first"
SYSTEM_PROGRAMS = "/usr/local/sbin:/usr/sbin:/sbin"  # not in an ordinary user's PATH on Debian


def main(names: list[str]) -> None:
    """Try the named features in this order."""
    os.environ["PATH"] = f"{os.environ.get('PATH', os.defpath)}:{SYSTEM_PROGRAMS}"
    os.environ["LC_ALL"] = "C"
    for name in names:
        print(json.dumps({"name": name} | attempt(FEATURES[name])), flush=True)


def attempt(feature: Feature, seconds: float = CHECK_SECONDS) -> dict[str, Any]:
    """Try one feature in a child: whether it is present, what was seen, a better remedy if one is known."""
    try:
        seen = call(partial(_try, feature), timeout=seconds)
    except Absent as absent:
        return _absent(absent.seen, absent.remedy or _rights(feature, absent.seen))
    except OSError as error:
        seen = error.strerror or str(error)
        return _absent(seen, _rights(feature, seen))
    except InvalidRunError:  # it was killed, or did not finish
        return _absent(f"gave no answer within {seconds:g} s")
    except Exception as error:  # a broken check has not found the feature
        return _absent(f"{type(error).__name__}: {error}")
    return {"present": True, "detail": seen, "remedy": ""}


def _try(feature: Feature) -> str:
    if not feature.isolated:
        return feature.check()
    try:
        sandbox.unshare(sandbox.ALL)
    except OSError as error:
        raise Absent(f"not tried: {error.strerror}", NAMESPACES_FIRST) from error
    return call(partial(_check_as_first_process, feature))


def _check_as_first_process(feature: Feature) -> str:
    try:
        sandbox.private_run()
        sandbox.private_proc()
    except OSError as error:
        raise Absent(f"not tried: {error.strerror}", NAMESPACES_FIRST) from error
    return feature.check()


def _rights(feature: Feature, seen: str) -> str:
    """A refused operation is not a missing feature; the checks of the namespaces know the remedy."""
    return NAMESPACES_FIRST if feature.isolated and "Operation not permitted" in seen else ""


def _absent(detail: str, remedy: str = "") -> dict[str, Any]:
    return {"present": False, "detail": detail, "remedy": remedy}


if __name__ == "__main__":
    main(sys.argv[1:])
