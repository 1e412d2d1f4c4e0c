"""`python -m testbed.browser chromium https://twitter.com/ --screenshot page.png`, as a subscriber.

Prints one JSON object. Exit status: 0 if a page came, 1 if not, 4 if browser or driver are not installed.
"""

import argparse
import json
import sys
from pathlib import Path

from testbed.browser.drive import BrowserForm, view
from testbed.errors import TestbedError

_SWITCH = ("usual", "on", "off")


def main() -> int:
    """Load one page."""
    parser = argparse.ArgumentParser(prog="python -m testbed.browser", description=__doc__)
    parser.add_argument("browser", choices=("chromium", "firefox"))
    parser.add_argument("url")
    parser.add_argument("--post-quantum", choices=_SWITCH, default="usual", help="the long ClientHello")
    parser.add_argument("--ech", choices=_SWITCH, default="usual", help="encrypted ClientHello")
    parser.add_argument("--quic", choices=_SWITCH, default="usual", help="HTTP/3; on: at once")
    parser.add_argument("--doh", default="", metavar="URL", help="a resolver over HTTPS, asked alone")
    parser.add_argument("--proxy", default="", metavar="URL", help="socks5://127.0.0.1:1080")
    parser.add_argument("--screenshot", type=Path, metavar="FILE", help="a PNG of the window")
    parser.add_argument("--whole", action="store_true", help="fetch it from the site's own page, to its end")
    given = parser.parse_args()
    form = BrowserForm(given.post_quantum, given.ech, given.quic, given.doh, given.proxy)
    try:
        seen = view(given.browser, given.url, form, given.screenshot, whole=given.whole)
    except TestbedError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    print(json.dumps(seen.to_json(), ensure_ascii=False), flush=True)
    if seen.error:
        print(f"{given.browser}: {seen.error}", file=sys.stderr)
    return 1 if seen.error else 0


if __name__ == "__main__":
    sys.exit(main())
