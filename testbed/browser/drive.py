"""Chromium and Firefox by their WebDriver programs, through Selenium: one page, as a person would see it."""

import os
import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urljoin, urlsplit

from testbed.errors import InputError, UnsupportedError

if TYPE_CHECKING:
    from selenium.webdriver.remote.webdriver import WebDriver

Browser = Literal["chromium", "firefox"]
Switch = Literal["usual", "on", "off"]
LONGEST: Final = 30.0  # seconds until a page must have loaded; our choice, as browsers themselves wait longer
_PROGRAMS: Final = {
    "chromium": (("chromium", "chromium-browser", "google-chrome"), "chromedriver"),
    "firefox": (("firefox-esr", "firefox"), "geckodriver"),
}
_QUIET: Final = (  # nothing that a page did not ask for
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-default-apps", "--disable-domain-reliability"),
    *("--disable-sync", "--no-first-run", "--window-size=1000,700"),
)


@dataclass(frozen=True, slots=True)
class BrowserForm:
    """What a browser does otherwise than by itself. "usual": as it comes."""

    post_quantum: Switch = "usual"  # the key exchange that makes its ClientHello longer than a segment
    ech: Switch = "usual"  # encrypted ClientHello, for servers whose DNS records have a key (Firefox)
    quic: Switch = "usual"  # on: HTTP/3 at once, without an earlier answer that offers it
    doh: str = ""  # URL of a resolver over HTTPS, asked alone
    proxy: str = ""  # "socks5://127.0.0.1:1080"


@dataclass(frozen=True, slots=True)
class PageView:
    """What a page came to."""

    url: str
    title: str = ""
    error: str = ""  # "ERR_CONNECTION_RESET": the browser's own word; "" if a page came
    protocol: str = ""  # "h3", "h2", "http/1.1": by which it came
    size: int = 0  # bytes of the answer's body

    def to_json(self) -> dict[str, Any]:
        """As a dict."""
        return asdict(self)


def lacking_browser(browser: Browser) -> str:
    """What is missing here for a browser, by name; "" if nothing."""
    names, driver = _PROGRAMS[browser]
    missing = [] if any(map(which, names)) else [f"{names[0]} is not installed (apt-get install {names[0]})"]
    missing += [] if which(driver) else [f"{driver} is not installed"]
    try:
        import selenium  # noqa: F401
    except ImportError:
        missing.append("selenium is not installed (pip install 'runet-testbed[browsers]')")
    return "; ".join(missing)


def view(
    browser: Browser, url: str, form: BrowserForm, screenshot: Path | None = None, *, whole: bool = False
) -> PageView:
    """Load a page, and keep a picture of the window if a file is named.

    `whole`: load the site's own page, and let that fetch the URL, to its end.

    Errors: UnsupportedError without browser, driver or Selenium; InputError for what a browser cannot do.
    """
    if browser == "chromium" and form.ech != "usual":
        remedy = "it uses ECH where the server's records have a key; with --post-quantum off it never does"
        raise InputError.at("--ech", "Chromium has no switch for it", remedy)
    if missing := lacking_browser(browser):
        raise UnsupportedError(missing)
    from selenium.common.exceptions import TimeoutException, WebDriverException

    with TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True) as home:
        start = _chromium if browser == "chromium" else _firefox
        driver = start(form, url, Path(home))
        try:
            driver.set_page_load_timeout(LONGEST)
            try:
                driver.get(urljoin(url, "/") if whole else url)
                seen = _fetched(driver, url) if whole else _seen(driver, url)
            except TimeoutException:
                seen = PageView(url, error="no page in time")
            except WebDriverException as error:
                seen = PageView(url, error=_word(error.msg or ""))
            if screenshot:
                driver.save_screenshot(str(screenshot))
        finally:
            driver.quit()
    return seen


def _fetched(driver: "WebDriver", url: str) -> PageView:
    driver.set_script_timeout(LONGEST)
    size = driver.execute_async_script(
        "const done = arguments[1]; fetch(arguments[0]).then(a => a.arrayBuffer())"
        ".then(b => done(b.byteLength)).catch(e => done(String(e)))",
        url,
    )
    seen = _seen(driver, url)
    return replace(seen, error=size) if isinstance(size, str) else replace(seen, size=int(size))


def _seen(driver: "WebDriver", url: str) -> PageView:
    entry = driver.execute_script(
        "const e = performance.getEntriesByType('navigation')[0];"
        "return e ? [e.nextHopProtocol, e.decodedBodySize] : ['', 0]"
    )
    return PageView(url, driver.title, protocol=str(entry[0]), size=int(entry[1]))


def _word(message: str) -> str:
    """The browser's name of an error: ERR_CONNECTION_RESET, netReset."""
    found = re.search(r"\bERR_\w+|(?<=about:neterror\?e=)\w+", message)
    return found[0] if found else message.partition("\n")[0]


def _chromium(form: BrowserForm, url: str, home: Path) -> "WebDriver":
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    names, program = _PROGRAMS["chromium"]
    options = ChromeOptions()
    options.binary_location = str(next(filter(None, map(which, names))))
    parts = urlsplit(url)
    short = "--ssl-version-max=tls1.2"  # Chromium has no other switch for the key since version 138
    for argument in (
        *_QUIET,
        f"--user-data-dir={home}/profile",
        short if form.post_quantum == "off" else "",
        f"--origin-to-force-quic-on={parts.hostname}:{parts.port or 443}" if form.quic == "on" else "",
        "--disable-quic" if form.quic == "off" else "",
        "--disable-features=HttpsUpgrades" if parts.scheme == "http" else "",  # what is asked for
        f"--proxy-server={form.proxy}" if form.proxy else "",
    ):
        if argument:
            options.add_argument(argument)
    if form.doh:
        resolver = {"dns_over_https.mode": "secure", "dns_over_https.templates": form.doh}
        options.add_experimental_option("localState", resolver)
    environment = {**os.environ, "HOME": str(home)}
    return Chrome(options=options, service=Service(which(program), env=environment))


def _firefox(form: BrowserForm, url: str, home: Path) -> "WebDriver":
    from selenium.webdriver import Firefox, FirefoxOptions
    from selenium.webdriver.firefox.service import Service

    names, program = _PROGRAMS["firefox"]
    options = FirefoxOptions()
    options.binary_location = str(next(filter(None, map(which, names))))
    options.add_argument("--headless")
    switched: dict[str, Switch] = {
        "security.tls.enable_kyber": form.post_quantum,
        "network.http.http3.enable_kyber": form.post_quantum,
        "network.dns.echconfig.enabled": form.ech,
        "network.dns.http3_echconfig.enabled": form.ech,
        "network.http.http3.enable": form.quic,
    }
    if form.quic == "on":  # an authority that is not Mozilla's, as the world's, would switch HTTP/3 off
        switched["network.http.http3.disable_when_third_party_roots_found"] = "off"
    if urlsplit(url).scheme == "http":
        switched["dom.security.https_first"] = "off"  # HTTPS instead of what is asked for
    for name, switch in switched.items():
        if switch != "usual":
            options.set_preference(name, switch == "on")
    if form.quic == "on":
        host = urlsplit(url).hostname
        options.set_preference("network.http.http3.alt-svc-mapping-for-testing", f"{host};h3=:443")
    if form.doh:
        options.set_preference("network.trr.mode", 3)  # alone, never the system's
        options.set_preference("network.trr.uri", form.doh)
    if form.proxy:
        parts = urlsplit(form.proxy)
        options.set_preference("network.proxy.type", 1)
        options.set_preference("network.proxy.socks", parts.hostname or "")
        options.set_preference("network.proxy.socks_port", parts.port or 1080)
        options.set_preference("network.proxy.socks5_remote_dns", bool(form.proxy))
    environment = {**os.environ, "HOME": str(home)}
    return Firefox(options=options, service=Service(which(program), env=environment))
