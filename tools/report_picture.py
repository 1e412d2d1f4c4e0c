"""Make docs/pictures/report.png, a part of a report in Chromium: python tools/report_picture.py.

It runs a scenario with a capture, reports on it, and keeps a picture of the page; needs the extras report
and browsers, Chromium and its driver.
"""

import sys
import tempfile
from pathlib import Path
from shutil import which

from testbed import Job, execute
from testbed.browser.drive import lacking_browser
from testbed.htmlreport.gather import gather
from testbed.htmlreport.page import page_of
from testbed.htmlreport.rendering import rendered

REPORT_PICTURE = Path(__file__).resolve().parents[1] / "docs/pictures/report.png"
WIDTH, TALL = 1000, 2150  # pixels
SECTIONS = ("summary", "receipts", "truth", "missing", "reproduce")  # that the picture leaves out
HIDE = "for (const id of arguments[0]) document.getElementById(id)?.remove();"


def photograph(page: Path, picture: Path) -> None:
    """A picture of the page's top, less some sections."""
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    options = ChromeOptions()
    options.binary_location = str(which("chromium") or which("google-chrome"))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for switch in (
            "--headless=new",
            "--hide-scrollbars",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={profile}",
        ):
            options.add_argument(switch)
        driver = Chrome(options=options, service=Service(which("chromedriver")))
        try:
            driver.set_window_size(WIDTH, TALL)
            driver.get(page.as_uri())
            driver.execute_script(HIDE, list(SECTIONS))
            driver.save_screenshot(str(picture))
        finally:
            driver.quit()


def main() -> None:
    """Run, report, keep the picture."""
    if missing := lacking_browser("chromium"):
        sys.exit(f"report_picture: {missing}")
    with tempfile.TemporaryDirectory() as folder:
        run, page = Path(folder, "run"), Path(folder, "report.html")
        execute(Job("twitter-throttling-2021", vantages=("mts",), capture=True, out=run))
        page.write_text(rendered(page_of(gather([str(run)]))), "utf-8")
        photograph(page, REPORT_PICTURE)


if __name__ == "__main__":
    main()
