"""Block pages as OONI sees them: `http-diff`, with the operators' published fingerprints (OONI-FP, CP-FP)."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.acceptance.conftest import Done

pytestmark = pytest.mark.world

SCENARIO = """
title: Block pages
period: any
sources: [our choice]
censors:
  isp:
    profile: leg-active
    rules:
      - {name: page, match: {http.host: twitter.com}, action: {page: {status: 200, body: operator}}}
phases: {free: {}, blocked: {all: isp}}
default_phase: blocked
expect:
  - {phase: blocked, target: "http://twitter.com/", outcome: http.page, by: page}
  - {phase: blocked, target: ["http://vk.com/", "http://PAGE/"], outcome: ok}
  - {phase: free, target: ["http://twitter.com/", "http://vk.com/"], outcome: ok}
controls: ["https://vk.com/"]
"""

# What OONI's list looks for in the body, by operator: its name there, and the pattern ("contains").
FINGERPRINTS = {
    "rostelecom": ("cl.isp_ru_rostelcom_warning_block_1", "://mc.yandex.ru/watch/38740850"),
    "mts": ("ooni.ru_3", '<iframe src="http://subblock.mts.ru/api'),
    "beeline": ("ooni.ru_41", "http://www.beeline.ru/customers/help/safe-beeline/"),
    "megafon": ("ooni.ru_73", "GTM-WBQ8X7M"),
    "tele2": ("ooni.ru_28", "//t2rkn.com/"),
    "ertelecom": ("cl.isp_ru_ertelecom_rkn_blockpage", "UA-42895529-7"),
    "obit": ("ooni.ru_76", "id:43845029,"),
    "yota": ("cl.isp_ru_yota_block_1", '<h1 class="title title_h1">Доступ ограничен</h1>'),
}
PAGES = ("warning.rt.ru", "blocked.mts.ru", "m.megafonpro.ru")

# Names of headers that tell nothing, as OONI's web_connectivity lists them.
COMMON = set(
    "date content-type server cache-control vary set-cookie location expires x-powered-by "  # noqa: SIM905
    "content-encoding last-modified accept-ranges pragma x-frame-options etag x-content-type-options age via "
    "p3p x-xss-protection content-language cf-ray strict-transport-security link x-varnish".split()
)


def http_diff(response: dict[str, Any], control: dict[str, Any]) -> bool:
    """Our reading of the rule that OONI publishes: equal statuses, and either the bodies are of like length
    (more than 0.7 of the longer), or an uncommon header is in both, or no long word is in one title alone.
    """
    if response["code"] != control["code"]:
        return True
    lengths = sorted((len(response["body"]), len(control["body"])))
    alike = lengths[0] / lengths[1] > 0.7
    shared = (_headers(response) & _headers(control)) - COMMON
    return not (alike or shared or _long_words(response) == _long_words(control))


def _headers(response: dict[str, Any]) -> set[str]:
    """Without Connection, which our probe asks for and OONI's client does not."""
    return {name.lower() for name, _ in response["headers_list"]} - {"connection"}


def _long_words(response: dict[str, Any]) -> set[str]:
    title = re.search(r"<title>(.*?)</title>", response["body"])
    return {word.lower() for word in title[1].split(" ") if len(word) >= 5} if title else set()


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("pages") / "pages.yaml"
    path.write_text(SCENARIO.replace('"http://PAGE/"', ", ".join(f'"http://{name}/"' for name in PAGES)))
    return str(path)


def responses(done: Done) -> dict[tuple[str, str], dict[str, Any]]:
    """By vantage and target: the answer to the first trial."""
    lines = [json.loads(line) for line in (done.folder / "results.jsonl").read_text("utf-8").splitlines()]
    return {
        (line["annotations"]["vantage"], line["input"]): line["test_keys"]["requests"][0]["response"]
        for line in lines
    }


def test_a_page_of_status_200_is_http_diff_and_known_to_the_list(
    testbed: Callable[..., Done], scenario: str
) -> None:
    done = testbed(scenario)
    assert done.status == 0, done.out + done.err
    found = responses(done)
    control = found["outside", "http://twitter.com/"]
    assert not http_diff(control, control)
    for operator, (name, pattern) in FINGERPRINTS.items():
        page = found[operator, "http://twitter.com/"]
        assert page["code"] == 200
        assert http_diff(page, control), operator
        assert pattern in page["body"], name
        assert "http://eais.rkn.gov.ru/" in page["body"], "ooni.ru_5"
        ordinary = found[operator, "http://vk.com/"]
        assert not http_diff(ordinary, found["outside", "http://vk.com/"])
    for host in PAGES:  # where redirects lead: OONI compares the last answer
        assert http_diff(found["outside", f"http://{host}/"], control), host


def test_the_twin_without_a_censor_is_no_diff(testbed: Callable[..., Done], scenario: str) -> None:
    found = responses(testbed(scenario, "--phase", "free", "--vantage", "mts"))
    assert not http_diff(found["mts", "http://twitter.com/"], found["outside", "http://twitter.com/"])
    assert "eais.rkn.gov.ru" not in found["mts", "http://twitter.com/"]["body"]
