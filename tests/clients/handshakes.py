"""Run by the tests as a subscriber: COUNT requests of a browser's shape to each name, connections all new.

Prints a JSON list with one libcurl result code each; 0 is a page.
"""

import json
import sys

from curl_cffi import CurlHttpVersion, CurlOpt, requests
from curl_cffi.requests.exceptions import RequestException

VERSIONS = {"tcp": None, "quic": CurlHttpVersion.V3ONLY}


def one(shape: str, name: str, over: str, seconds: float) -> int:
    try:
        requests.get(
            f"https://{name}/",
            impersonate=shape,
            http_version=VERSIONS[over],
            timeout=seconds,
            curl_options={CurlOpt.FRESH_CONNECT: 1, CurlOpt.FORBID_REUSE: 1},
            allow_redirects=False,
        ).raise_for_status()
    except RequestException as error:
        return int(error.code)
    return 0


def main(shape: str, names: str, count: str, over: str = "tcp", seconds: str = "5") -> None:
    tries = [name for name in names.split(",") for _ in range(int(count))]
    print(json.dumps([one(shape, name, over, float(seconds)) for name in tries]))


if __name__ == "__main__":
    main(*sys.argv[1:])
