"""The pictures of docs/mechanisms: which run each is made from, and what of it is shown."""

from dataclasses import dataclass


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
    command: tuple[str, ...] = ()  # PYTHON and ROOT stand for the interpreter and this repository
    peer: tuple[str, ...] = ()  # a program on the far side
    ports: tuple[int, ...] = ()  # far ports shown; (): all
    acks: bool = True
    fold: bool = True
    most: int = 30
    linger: float = 0.3
    timeout: float = 3.0
    delay: float = 0.02
    far: str = "server"


_ALL = (
    Picture(
        "sni-rewrite",
        "twitter-facebook-block-2022-03",
        "beeline",
        ("https://twitter.com/",),
        title="SNI-I: the server's packets become RST/ACK",
        censor="tspu",
        ports=(443,),
    ),
    Picture(
        "dns-resolver",
        "twitter-facebook-block-2022-03",
        "ertelecom",
        ("dns://resolver/www.bbc.com",),
        title="The operator's resolver lies",
        censor="isp-dns",
        ports=(53,),
    ),
)

PICTURES = {picture.name: picture for picture in _ALL}
