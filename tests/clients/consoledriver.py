"""`testbed console` and a headless Chromium that has its page, as one thing to drive."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

TESTBED = str(Path(sys.executable).parent / "testbed")
_SCREEN = ".xterm-accessibility-tree > div"
PATIENCE = 60.0  # seconds, on a machine under load


@dataclass
class ConsoleDriver:
    """A page that is open. Everything waits for what it asks for."""

    browser: Any
    link: str
    world: str
    environment: dict[str, str]

    def wait(self, found: Callable[[], Any]) -> Any:
        from selenium.common.exceptions import StaleElementReferenceException
        from selenium.webdriver.support.ui import WebDriverWait

        waiting = WebDriverWait(self.browser, PATIENCE, ignored_exceptions=[StaleElementReferenceException])
        return waiting.until(lambda _: found())

    def one(self, selector: str) -> Any:
        from selenium.webdriver.common.by import By

        return self.wait(lambda: next(iter(self.browser.find_elements(By.CSS_SELECTOR, selector)), None))

    def text(self, selector: str) -> str:
        return str(self.one(selector).text)

    def until(self, selector: str, words: str) -> str:
        self.wait(lambda: words in self.text(selector))
        return self.text(selector)

    def open_terminal(self, vantage: str) -> None:
        from selenium.webdriver.support.ui import Select

        Select(self.one("#vantage")).select_by_value(vantage)
        self.one("#open").click()
        self.wait(lambda: f"[{vantage} ·" in self.screen())

    def screen(self) -> str:
        """What the terminal shows, as a screen reader has it."""
        script = f"return [...document.querySelectorAll('{_SCREEN}')].map(one => one.textContent)"
        return "\n".join(line.rstrip() for line in self.browser.execute_script(script)).rstrip()

    def type(self, line: str) -> None:
        from selenium.webdriver import Keys

        self.one(".xterm-helper-textarea").send_keys(line + Keys.ENTER)

    def wait_for_flow(self, name: str) -> None:
        self.until("#flows", name)

    def show_ladder(self, name: str) -> str:
        """Choose the latest flow of that name; its ladder."""
        having = "find(one => one.textContent.includes(arguments[0])).click()"
        self.browser.execute_script(f"[...document.querySelectorAll('.flow.match')].{having}", name)
        return self.until("#ladder", "legend:")

    def phase(self, name: str) -> None:
        self.one(f"[data-phase='{name}']").click()
        self.until("#where", f"phase {name} ")

    def open_box(self, box: str) -> None:
        from selenium.webdriver import Keys

        self.one(f"[data-box='{box}']").send_keys(Keys.ENTER)
        self.wait(lambda: self.one("#box").get_attribute("open"))

    def move(self, box: str, *, hop: int | None = None, model: str = "") -> None:
        from selenium.webdriver.support.ui import Select

        self.open_box(box)
        if hop is not None:
            Select(self.one("#box-hop")).select_by_value(str(hop))
        if model:
            Select(self.one("#box-model")).select_by_value(model)
        self.one("#box-apply").click()

    def complaints(self) -> list[str]:
        """What the browser complains of: scripts, policy, missing files."""
        return [entry["message"] for entry in self.browser.get_log("browser")]

    def theme(self, *, dark: bool) -> None:
        button = self.one("#theme")
        if (button.text == "Dark") is dark:
            button.click()

    def resize(self, width: int, height: int) -> None:
        self.browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
        )

    def top(self) -> None:
        self.browser.execute_script("scrollTo(0, 0)")

    def picture(self, file: Path) -> None:
        self.browser.save_screenshot(str(file))

    def testbed(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [TESTBED, *words], env=self.environment, capture_output=True, text=True, timeout=120, check=False
        )


@contextmanager
def consoled(scenario: str, *vantages: str) -> Iterator[ConsoleDriver]:
    """A console over a world of its own, and a browser that has entered."""
    with TemporaryDirectory(prefix="console-", ignore_cleanup_errors=True) as folder:
        environment = {**os.environ, "XDG_RUNTIME_DIR": f"{folder}/runtime", "SHELL": "/bin/bash"}
        Path(folder, "runtime").mkdir(mode=0o700)
        line = [TESTBED, "console", scenario, *(word for one in vantages for word in ("--vantage", one))]
        with subprocess.Popen(
            line, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            stdin=subprocess.DEVNULL,
        ) as server:  # fmt: skip
            try:
                link = _link(server)
                browser = chromium(folder)
                try:
                    browser.get(link)
                    world = link.partition("/w/")[2].partition("/")[0]
                    console = ConsoleDriver(browser, link, world, environment)
                    console.until("#state", "live")
                    yield console
                finally:
                    browser.quit()
            finally:
                server.terminate()
                server.communicate(timeout=60)


def _link(server: "subprocess.Popen[str]") -> str:
    assert server.stdout is not None
    seen = ""
    for line in server.stdout:
        seen += line
        if found := re.search(r"http://127\.0\.0\.1:\S+", line):
            return found[0]
    raise AssertionError(f"no link: {seen}")


def chromium(home: str, *, any_certificate: bool = False) -> Any:
    """A headless browser with a profile in `home`."""
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    options = ChromeOptions()
    options.binary_location = next(
        found for name in ("chromium", "chromium-browser") if (found := shutil.which(name))
    )
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={home}/profile"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    options.accept_insecure_certs = any_certificate
    browser = Chrome(options=options, service=Service(shutil.which("chromedriver")))
    browser.set_window_size(1440, 1400)
    return browser
