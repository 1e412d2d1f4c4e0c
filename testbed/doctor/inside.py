"""The process that tries features, one forked child each: `python -m testbed.doctor.inside NAME…`.

Prints one JSON line per feature: name, present, detail, remedy. A process of its own, because a check
forks and unshares, which a process with threads (a test runner) must not do.
"""

import json
import os
import select
import signal
import sys
from typing import Any, NoReturn

from testbed.doctor import sandbox
from testbed.doctor.checks import FEATURES
from testbed.doctor.feature import Absent, Feature
from testbed.world import linux

CHECK_SECONDS = 5.0  # our choice: the slowest check here takes 0.3 s
ELSEWHERE = "get the namespaces first"
SYSTEM_PROGRAMS = "/usr/local/sbin:/usr/sbin:/sbin"  # not in an ordinary user's PATH on Debian


def main(names: list[str]) -> None:
    """Try the named features in this order."""
    os.environ["PATH"] = f"{os.environ.get('PATH', os.defpath)}:{SYSTEM_PROGRAMS}"
    os.environ["LC_ALL"] = "C"
    for name in names:
        print(json.dumps({"name": name} | attempt(FEATURES[name])), flush=True)


def attempt(feature: Feature, seconds: float = CHECK_SECONDS) -> dict[str, Any]:
    """Try one feature in a child: whether it is present, what was seen, a better remedy if one is known."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        _in_child(feature, writer)
    os.close(writer)
    answer = b""
    while select.select([reader], [], [], seconds)[0] and (piece := os.read(reader, 65536)):
        answer += piece
    os.close(reader)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    if not answer:
        return _absent(f"gave no answer within {seconds:g} s")
    result: dict[str, Any] = json.loads(answer)
    return result


def _in_child(feature: Feature, writer: int) -> NoReturn:
    linux.die_with_parent()
    try:
        result = _try(feature)
    except Absent as absent:
        result = _absent(absent.seen, absent.remedy or _rights(feature, absent.seen))
    except OSError as error:
        seen = error.strerror or str(error)
        result = _absent(seen, _rights(feature, seen))
    except Exception as error:  # a check that breaks has not found the feature; say how
        result = _absent(f"{type(error).__name__}: {error}")
    os.write(writer, json.dumps(result).encode())
    os._exit(0)


def _try(feature: Feature) -> dict[str, Any]:
    if feature.isolated:
        try:
            sandbox.enter()
        except OSError as error:
            return _absent(f"not tried: {error.strerror}", ELSEWHERE)
    return {"present": True, "detail": feature.check(), "remedy": ""}


def _rights(feature: Feature, seen: str) -> str:
    """What is refused to us is not missing from the kernel; the namespaces' own checks know the remedy."""
    return ELSEWHERE if feature.isolated and "Operation not permitted" in seen else ""


def _absent(detail: str, remedy: str = "") -> dict[str, Any]:
    return {"present": False, "detail": detail, "remedy": remedy}


if __name__ == "__main__":
    main(sys.argv[1:])
