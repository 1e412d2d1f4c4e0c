import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import pkcs12

from testbed.internet.authority import Authority
from testbed.internet.bundles import SYSTEM_BUNDLES, system_bundle
from testbed.vantage import environment as module
from testbed.vantage.environment import prepare
from testbed.vantage.shell import shell_argv

AUTHORITY = Authority.create()


@pytest.fixture
def environment(tmp_path):
    return prepare(tmp_path, AUTHORITY, ["10.1.1.1", "2001:db8::1"], "mts")


def test_the_resolver(environment):
    assert (
        environment.tree / "etc/resolv.conf"
    ).read_text() == "nameserver 10.1.1.1\nnameserver 2001:db8::1\n"


def test_trust_is_the_systems_and_ours(environment):
    bundle = Path(environment.variables["SSL_CERT_FILE"]).read_text()
    assert bundle == system_bundle() + AUTHORITY.root_pem
    for path in SYSTEM_BUNDLES:
        if Path(path).is_file():
            assert (environment.tree / path[1:]).read_text() == bundle
    assert (
        environment.tree / f"etc/ssl/certs/{AUTHORITY.subject_hash()}.0"
    ).read_text() == AUTHORITY.root_pem
    assert Path(environment.variables["NODE_EXTRA_CA_CERTS"]).read_text() == AUTHORITY.root_pem


def test_java_trusts_the_authority_and_keeps_the_users_options(environment):
    store = Path(environment.variables["JAVA_TOOL_OPTIONS"].rpartition("trustStore=")[2].rstrip("'"))
    (found,) = pkcs12.load_pkcs12(store.read_bytes(), None).additional_certs
    assert found.certificate == AUTHORITY.root
    assert environment.for_program({"JAVA_TOOL_OPTIONS": "-Dmine=1"})["JAVA_TOOL_OPTIONS"] == (
        f"-Dmine=1 -Djavax.net.ssl.trustStoreType=PKCS12 '-Djavax.net.ssl.trustStore={store}'"
    )


def test_the_users_variables_are_kept_but_for_proxies(environment):
    own = {
        "HOME": "/home/a",
        "PATH": "/usr/bin",
        "https_proxy": "http://p",
        "ALL_PROXY": "x",
        "SSL_CERT_FILE": "/x",
    }
    made = environment.for_program(own)
    assert made["HOME"] == "/home/a"
    assert made["PATH"] == "/usr/bin:/usr/local/sbin:/usr/sbin:/sbin"
    assert made["SSL_CERT_FILE"] == environment.variables["SSL_CERT_FILE"]
    assert not {"https_proxy", "ALL_PROXY"} & set(made)


LEAD_OUT = [
    *(
        "SSH_AUTH_SOCK",
        "DBUS_SESSION_BUS_ADDRESS",
        "XDG_RUNTIME_DIR",
        "DISPLAY",
        "WAYLAND_DISPLAY",
        "XAUTHORITY",
    ),
    *("TMUX", "STY", "DOCKER_HOST", "CONTAINER_HOST", "VSCODE_IPC_HOOK_CLI", "NVIM", "PULSE_SERVER"),
    *("NOTIFY_SOCKET", "GNOME_KEYRING_CONTROL"),
]
STAY = ["HOME", "LANG", "TERM", "XDG_CONFIG_HOME", "SSH_CONNECTION", "DISPLAYS", "MY_TMUX", "DOCKER_CONFIG"]


def test_what_leads_out_of_the_world_is_removed_and_nothing_else(environment):
    made = environment.for_program(dict.fromkeys([*LEAD_OUT, *STAY], "x"))
    assert [name for name in (*LEAD_OUT, *STAY) if name in made] == STAY


@pytest.mark.parametrize(
    ("line", "made"),
    [
        ("hosts: files mymachines resolve [!UNAVAIL=return] dns", "hosts: files dns"),
        ("hosts:files mdns4_minimal [NOTFOUND=return] dns", "hosts: files dns"),
        ("passwd: files systemd", "passwd: files systemd"),
    ],
)
def test_names_come_from_dns_alone(line, made):
    assert module._nsswitch(f"# x\n{line}\n") == f"# x\n{made}\n"


def test_browsers_get_a_policy_if_they_are_there(tmp_path, monkeypatch):
    monkeypatch.setattr(module.shutil, "which", {"chromium": "/usr/bin/chromium"}.get)
    tree = prepare(tmp_path, AUTHORITY, []).tree
    policy = json.loads((tree / "etc/chromium/policies/managed/testbed.json").read_text())
    assert policy["CACertificates"][0] in AUTHORITY.root_pem.replace("\n", "")
    assert not (tree / "etc/firefox").exists()


def test_bashs_prompt_says_where_one_is(tmp_path):
    argv = shell_argv("twitter-throttling-2021", "substring", "mts", tmp_path, "/bin/bash")
    assert argv == ["/bin/bash", "--rcfile", str(tmp_path / "bashrc"), "-i"]
    assert "'mts · twitter-throttling-2021/substring'" in (tmp_path / "bashrc").read_text()


def test_other_shells_get_their_prompt_by_variable(tmp_path):
    shell = tmp_path / "zsh"
    argv = shell_argv("free", "all", "mts", tmp_path, str(shell))
    assert argv == ["env", "TESTBED_PLACE=mts · free/all", "PS1=[mts · free/all] $ ", str(shell), "-i"]


@pytest.mark.parametrize("name", ["dash", "sh"])
def test_dash_has_no_job_control(tmp_path, name):
    """By any name: Debian's sh is a link to it."""
    (tmp_path / "dash").touch(mode=0o755)
    shell = tmp_path / name
    if name != "dash":
        shell.symlink_to("dash")
    assert shell_argv("free", "all", "mts", tmp_path, str(shell))[-3:] == [str(shell), "-i", "+m"]
