"""A solution of lab 4: curl, changing one thing at a time. Prints `task answer` lines."""

import subprocess

SITES = {
    "bbc": "www.bbc.com",
    "dw": "www.dw.com",
    "meduza": "meduza.io",
    "linkedin": "www.linkedin.com",
    "instagram": "www.instagram.com",
    "reddit": "www.reddit.com",
}
RESET, TIMEOUT, CERTIFICATE = 35, 28, 60  # curl's exit statuses


def run(*line: str) -> subprocess.CompletedProcess:
    """A command."""
    return subprocess.run(line, capture_output=True, text=True, check=False)


def curl(url: str, *more: str) -> tuple[int, int, float]:
    """curl's exit status, the page's status, and bytes per second."""
    done = run("curl", "-so", "/dev/null", "-m", "6", "-w", "%{http_code} %{speed_download}", *more, url)
    status, speed = done.stdout.split()
    return done.returncode, int(status), float(speed)


def addresses(name: str, *where: str) -> set[str]:
    """What a resolver says."""
    return set(run("dig", "+short", *where, name).stdout.split())


def matter(name: str) -> str:
    """What is wrong with a site."""
    honest = addresses(name, "@9.9.9.9")
    if addresses(name) != honest:
        return "the resolver lies"
    ended, status, speed = curl(f"https://{name}/")
    if ended == RESET:
        return "a box resets it by name"
    if ended == CERTIFICATE:
        return "the certificate is expired"
    if status == 403:
        return "the server refuses the country"
    if speed > 100_000:
        return "nothing"
    # Nothing came, or little. Is it the name, or the server?
    other, _, _ = curl("https://example.org/", "-k", "--connect-to", f"::{min(honest)}:")
    if ended == TIMEOUT and not speed:
        return "a box drops it by name" if other == 0 else "the server is down"
    return "the server is slow"


for task, name in SITES.items():
    print(task, matter(name))
