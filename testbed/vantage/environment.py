"""What a subscriber's machine has of its own: resolver, hosts file, trusted authorities, environment.

Everything is written into the run folder, in the shape of the machine's own tree, and laid over it for one
program at a time (see `overlay`).

Not covered: browsers from snap or flatpak (they read other folders), programs with
authorities built in (OONI Probe), and users of certifi that ignore the environment.
"""

import json
import os
import re
import shutil
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from testbed.internet.bundles import SYSTEM_BUNDLES, system_bundle

if TYPE_CHECKING:
    from testbed.internet.authority import Authority
    from testbed.vantage.seclusion import Seclusion

SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")
CERTIFICATES = Path("etc/ssl/certs")  # OpenSSL's directory, where it looks authorities up by hash

# A subscriber has none of these: a program that obeyed them would talk to something outside the world, or
# look for something that is not in it.
_PROXIES = r"(?i:(https?|ftp|all|no|rsync|socks5?)_proxy)"
_NAMES = r"SSL_CERT_DIR|RES_OPTIONS|LOCALDOMAIN|HOSTALIASES"
_AGENTS = r"SSH_AUTH_SOCK|SSH_AGENT_PID|SSH_ASKPASS|SUDO_ASKPASS|GPG_AGENT_INFO|GNOME_KEYRING_\w+"
_BUSES = r"DBUS_\w+|AT_SPI_BUS_ADDRESS|NOTIFY_SOCKET|JOURNAL_STREAM|LISTEN_(FDS|PID|FDNAMES)|XDG_RUNTIME_DIR"
_DISPLAYS = r"(WAYLAND_)?DISPLAY|XAUTHORITY|ICEAUTHORITY|SESSION_MANAGER|SWAYSOCK|I3SOCK|HYPRLAND_\w+"
_SOUNDS = r"PULSE_\w+|PIPEWIRE_\w+"
_TERMINALS = r"TMUX(_PANE)?|STY|ZELLIJ\w*|KITTY_LISTEN_ON|WEZTERM_UNIX_SOCKET"
_EDITORS = r"VSCODE_\w+|TESTBED_SECLUSION|NVIM(_LISTEN_ADDRESS)?|EMACS_SOCKET_NAME|VIM_SERVERNAME"
_SERVERS = r"(DOCKER|CONTAINER|LIBVIRT_DEFAULT)_(HOST|CONTEXT|URI)|MYSQL_UNIX_PORT|WSL_INTEROP"
DROPPED = re.compile(
    f"{_PROXIES}|{_NAMES}|{_AGENTS}|{_BUSES}|{_DISPLAYS}|{_SOUNDS}|{_TERMINALS}|{_EDITORS}|{_SERVERS}"
)


_JAVA: Final = "JAVA_TOOL_OPTIONS"


@dataclass(frozen=True, slots=True)
class Environment:
    """What `subscriber` lays over the machine's own files and variables."""

    tree: Path  # laid over "/"
    scratch: Path  # an empty folder to mount on
    variables: Mapping[str, str]
    secluded: "Seclusion | None" = None  # what else of the machine's files a program may see

    def for_program(self, own: Mapping[str, str]) -> dict[str, str]:
        """The environment of a program whose user has `own`."""
        kept = {name: value for name, value in own.items() if not DROPPED.fullmatch(name)}
        path = kept.get("PATH", os.defpath).split(os.pathsep)
        kept["PATH"] = os.pathsep.join([*path, *(folder for folder in SBIN if folder not in path)])
        java = " ".join(filter(None, (kept.get(_JAVA), self.variables.get(_JAVA))))  # the last one counts
        return {**kept, **self.variables, **({_JAVA: java} if java else {})}


def prepare(
    run_dir: Path,
    authority: "Authority",
    resolvers: Sequence[str],
    name: str = "vantage",
    elsewhere: Mapping[str, Sequence[str]] = MappingProxyType({}),
    names: Sequence[str] = (),
) -> Environment:
    """Write the files of the vantage `name` into `run_dir/name`.

    `resolvers` are the addresses that it asks; the C library uses three at most. `elsewhere` are those that
    other hosts ask: `ip netns exec HOST` gives its command their file. `names`: further ones of this machine.
    """
    home = (run_dir / name).resolve()
    tree, scratch = home / "files", home / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    certificates = tree / CERTIFICATES
    certificates.mkdir(parents=True, exist_ok=True)
    etc = tree / "etc"
    _write_resolvers(etc, resolvers)
    for host, addresses in elsewhere.items():
        (etc / "netns" / host).mkdir(parents=True, exist_ok=True)
        _write_resolvers(etc / "netns" / host, addresses)  # ip-netns(8)
    (etc / "hosts").write_text(_hosts(names))
    if Path("/etc/nsswitch.conf").is_file():
        (etc / "nsswitch.conf").write_text(_nsswitch(Path("/etc/nsswitch.conf").read_text()))
    root, bundle = home / "root.pem", home / "bundle.pem"
    root.write_text(authority.root_pem)
    bundle.write_text(system_bundle() + authority.root_pem)
    (certificates / f"{authority.subject_hash()}.0").write_text(authority.root_pem)
    for path in SYSTEM_BUNDLES:
        if Path(path).is_file():
            (tree / path[1:]).parent.mkdir(parents=True, exist_ok=True)
            (tree / path[1:]).write_text(bundle.read_text())
    _write_browser_policies(etc, root)
    store = home / "trust.p12"
    store.write_bytes(authority.java_trust_store())
    return Environment(tree, scratch, _variables(root, bundle, store))


def _write_resolvers(folder: Path, addresses: Sequence[str]) -> None:
    (folder / "resolv.conf").write_text("".join(f"nameserver {address}\n" for address in addresses[:3]))


def _variables(root: Path, bundle: Path, store: Path) -> dict[str, str]:
    return {
        # Every Java machine since 1.5 reads it, and says so in a line on stderr. A path has no quotes there.
        _JAVA: f"-Djavax.net.ssl.trustStoreType=PKCS12 '-Djavax.net.ssl.trustStore={store}'",
        "SSL_CERT_FILE": str(bundle),  # OpenSSL, Python's ssl, httpx, Go
        "REQUESTS_CA_BUNDLE": str(bundle),
        "CURL_CA_BUNDLE": str(bundle),
        "NODE_EXTRA_CA_CERTS": str(root),
    }


def _hosts(names: Sequence[str]) -> str:
    own = "".join(f"127.0.0.1 {name}\n" for name in names)
    return (
        f"127.0.0.1 localhost\n{own}127.0.1.1 {socket.gethostname()}\n"
        "::1 localhost ip6-localhost ip6-loopback\n"
    )


def _nsswitch(text: str) -> str:
    """The machine's own, but names come from the hosts file and DNS alone."""
    return re.sub(r"(?m)^hosts:.*$", "hosts: files dns", text)


def _write_browser_policies(etc: Path, root: Path) -> None:
    """Browsers look at none of the bundles, but take authorities from a policy."""
    base64 = "".join(root.read_text().splitlines()[1:-1])  # PEM without its frame is DER in base64
    # https://chromeenterprise.google/policies/#CACertificates, Chromium 128 and later
    chromium = {"CACertificates": [base64]}
    # https://mozilla.github.io/policy-templates/#certificates--install
    firefox = {"policies": {"Certificates": {"Install": [str(root)]}}}
    policies = (
        ("chromium", "chromium/policies/managed/testbed.json", chromium),
        ("google-chrome", "opt/chrome/policies/managed/testbed.json", chromium),
        ("firefox", "firefox/policies/policies.json", firefox),
        ("firefox-esr", "firefox/policies/policies.json", firefox),
    )
    for browser, place, policy in policies:
        if shutil.which(browser):
            (etc / place).parent.mkdir(parents=True, exist_ok=True)
            (etc / place).write_text(json.dumps(policy))
