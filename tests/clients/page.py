"""Run by the tests as a subscriber: fetch a page with Python's own ssl."""

import sys
from urllib.request import urlopen

with urlopen(f"https://{sys.argv[1]}/", timeout=9) as page:
    page.read()
