"""The pictures of docs/mechanisms: the run behind each, and the part that is shown."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture. Either `targets` for the built-in probe or a `command` of the subscriber."""

    name: str
    scenario: str  # of the library, or a path in the repository
    vantage: str = ""
    targets: tuple[str, ...] = ()
    title: str = ""  # "": the scenario's
    phase: str = ""
    censor: str = ""
    command: tuple[str, ...] = ()  # PYTHON and ROOT: the interpreter and this repository
    peer: tuple[str, ...] = ()  # a program on the far side
    ports: tuple[int, ...] = ()  # far ports shown; (): all
    acks: bool = True
    fold: bool = True
    most: int = 30
    linger: float = 0.3
    timeout: float = 3.0
    delay: float = 0.02
    far: str = "server"
    idle: bool = False  # no rule acts in it


_2022 = "twitter-facebook-block-2022-03"
_PEERS = ("PYTHON", "ROOT/examples/mechanisms/peers.py")
_TWICE = " && ".join(2 * [" ".join((*_PEERS, "wireguard", "45.76.1.1"))])


def _own(name: str, file: str = "", **more: Any) -> Picture:
    """One from examples/mechanisms, whose world has its own delay."""
    return Picture(name, f"examples/mechanisms/{file or name}.yaml", "mts", delay=0.0, **more)


_ALL = (
    Picture(
        "sni-rewrite",
        _2022,
        "beeline",
        ("https://twitter.com/",),
        title="SNI-I: the server's packets become RST/ACK",
        censor="tspu",
        ports=(443,),
        most=7,
    ),
    Picture(
        "delayed-drop",
        "twitter-facebook-2022-02",
        "tele2",
        ("https://twitter.com/bytes/100000",),
        title="SNI-II: a few more packets, then none",
        ports=(443,),
        timeout=1.0,
        most=18,
        fold=False,
    ),
    Picture(
        "policer",
        "twitter-throttling-2021",
        "beeline",
        ("https://abs.twimg.com/bytes/60000",),
        title="A policer of 140 kbit/s, 2021",
        ports=(443,),
        acks=False,
        most=20,
    ),
    Picture(
        "sni-3",
        "twitter-facebook-2022-02",
        "mts",
        ("https://twitter.com/bytes/20000",),
        title="SNI-III: a policer of 650 bytes a second, 2022",
        ports=(443,),
        acks=False,
        most=24,
        timeout=2.0,
    ),
    _own(
        "learned-lists",
        command=("sh", "-c", _TWICE),
        peer=(*_PEERS, "serve-wireguard", "45.76.1.1"),
        title="A server on a learned list: the second session is dropped",
        ports=(51820,),
        most=24,
    ),
    _own(
        "silent-drop",
        targets=("https://rutracker.org/",),
        title="SNI-IV: the ClientHello and everything after it dropped",
        ports=(443,),
        timeout=1.5,
        most=14,
    ),
    Picture(
        "reset-mirror",
        "linkedin-ban-2016",
        "rostelecom",
        ("https://www.linkedin.com/",),
        title="A reset from an on-path box: the genuine answer is too late",
        ports=(443,),
    ),
    Picture(
        "reset-path",
        "linkedin-ban-2016",
        "megafon",
        ("https://www.linkedin.com/",),
        title="A reset from an in-path box, to both ends",
        ports=(443,),
    ),
    _own("close", targets=("https://twitter.com/",), title="A forged close", ports=(443,), most=14),
    Picture(
        "page-mirror",
        "linkedin-ban-2016",
        "rostelecom",
        ("http://www.linkedin.com/",),
        title="A block page from an on-path box",
        ports=(80,),
    ),
    Picture(
        "page-path",
        "linkedin-ban-2016",
        "beeline",
        ("http://www.linkedin.com/",),
        title="A block page from an in-path box",
        ports=(80,),
    ),
    Picture(
        "dns-resolver",
        _2022,
        "ertelecom",
        ("dns://resolver/www.bbc.com",),
        title="A forged answer of the operator's resolver",
        censor="isp-dns",
        ports=(53,),
        far="",
    ),
    Picture(
        "dns-injected",
        "linkedin-ban-2016",
        "tele2",
        ("dns://8.8.8.8/www.linkedin.com",),
        title="A forged answer injected before the genuine one",
        ports=(53,),
        far="8.8.8.8",
    ),
    _own(
        "dns-nxdomain",
        "nxdomain",
        targets=("dns://resolver/www.youtube.com",),
        title="The resolver answers NXDOMAIN",
        phase="february",
        ports=(53,),
        far="",
    ),
    Picture(
        "quic-blanket",
        _2022,
        "beeline",
        ("h3://www.wikipedia.org/",),
        title="QUIC version 1 dropped, whatever the name",
        censor="tspu",
        ports=(443,),
        timeout=2.0,
        most=10,
        fold=False,
    ),
    _own(
        "quic-sni",
        targets=("h3://twitter.com/", "h3://www.wikipedia.org/"),
        title="QUIC dropped by the name in its Initial",
        ports=(443,),
        timeout=1.5,
        most=18,
    ),
    _own(
        "ip-block",
        targets=("https://twitter.com/",),
        title="An address blocked",
        ports=(443,),
        timeout=2.0,
    ),
    _own(
        "ip-block-opened",
        "ip-block",
        command=(*_PEERS, "listen", "7777"),
        peer=(*_PEERS, "knock", "104.244.42.1", "91.76.0.100", "7777"),
        title="The blocked host connects to the subscriber",
        far="blocked host",
        most=12,
    ),
    _own(
        "refusal-icmp",
        "refusal",
        targets=("https://www.facebook.com/",),
        title="Refused by an ICMP error",
        ports=(443,),
    ),
    _own(
        "refusal-reset",
        "refusal",
        targets=("https://twitter.com/",),
        title="Refused by a reset",
        ports=(443,),
    ),
    _own(
        "shaper",
        targets=("put+https://www.wikipedia.org/upload?bytes=12000",),
        title="An upload shaped to 130 kbit/s",
        ports=(443,),
        acks=False,
        most=24,
    ),
    _own(
        "loss",
        targets=("https://rr1.googlevideo.com/bytes/60000",),
        title="7 % of the packets lost",
        ports=(443,),
        acks=False,
        most=20,
    ),
    _own(
        "freeze",
        targets=("https://shop.example.net/bytes/64000",),
        title="Frozen after 16 KB",
        ports=(443,),
        acks=False,
        timeout=1.0,
        most=24,
    ),
    _own(
        "connection-limit",
        command=(*_PEERS, "many", "104.244.42.1", "twitter.com", "3"),
        title="The third TLS connection exceeds the limit",
        ports=(443,),
        acks=False,
        most=24,
    ),
    _own(
        "data-drop",
        command=(*_PEERS, "wireguard", "45.76.1.1"),
        peer=(*_PEERS, "serve-wireguard", "45.76.1.1"),
        title="WireGuard: two data packets, then none",
        far="VPN server",
    ),
    _own(
        "ech",
        command=(*_PEERS, "hello", "104.18.10.118", "cloudflare-ech.com", "ech"),
        title="A ClientHello with ECH and the outer name of Cloudflare's",
        ports=(443,),
        most=12,
    ),
    _own(
        "ja4",
        command=(*_PEERS, "faketls", "45.76.1.1", "vpn.example.net"),
        peer=(*_PEERS, "serve-faketls", "45.76.1.1"),
        title="A fingerprint's application data dropped",
        ports=(8443,),
        most=16,
        far="proxy",
    ),
    _own(
        "hijack",
        "nxdomain",
        targets=("dns://8.8.8.8/www.youtube.com", "dns+tcp://8.8.8.8/www.youtube.com"),
        title="8.8.8.8 hijacked over UDP, not over TCP",
        censor="hijack",
        ports=(53,),
        far="resolvers",
        acks=False,
    ),
    _own(
        "redirection",
        targets=("dns://8.8.8.8/rutracker.org",),
        title="Port 53 redirected to the operator's resolver",
        censor="port-53",
        ports=(53,),
        far="resolvers",
    ),
    Picture(
        "interception",
        _2022,
        "mts",
        ("https://www.dw.com/",),
        title="TLS terminated by the operator's box, with another certificate",
        censor="isp-mitm",
        ports=(443,),
        far="servers",
        most=16,
    ),
    _own(
        "allow-list",
        targets=("https://twitter.com/",),
        title="An address that is on no list",
        ports=(443,),
        timeout=1.5,
        most=14,
    ),
    _own(
        "fragments",
        command=(*_PEERS, "ping", "91.198.174.192", "600", "3"),
        idle=True,
        title="A ping in three fragments, buffered and released",
        ports=(7,),
    ),
    _own(
        "load-sharing",
        targets=("https://twitter.com/", "https://api.twitter.com/"),
        title="One rule, two addresses, two paths",
        ports=(443,),
        acks=False,
        most=22,
        linger=0.0,
    ),
    _own(
        "inspectors-packet",
        "inspectors",
        command=(*_PEERS, "split", "104.244.42.1", "twitter.com"),
        idle=True,
        title="A ClientHello in two segments, at a node that reads single packets",
        ports=(443,),
    ),
    _own(
        "inspectors-stream",
        "inspectors",
        command=(*_PEERS, "split", "157.240.205.35", "www.facebook.com"),
        title="The same at a node that reassembles the stream",
        ports=(443,),
        most=14,
    ),
)

PICTURES = {picture.name: picture for picture in _ALL}
