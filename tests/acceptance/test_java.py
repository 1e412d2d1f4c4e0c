"""A Java program trusts the sites of a world as any other client does."""

import shutil
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.world,
    pytest.mark.skipif(shutil.which("java") is None, reason="needs java"),
]

PROGRAM = """\
import java.net.URI;
import java.net.http.*;
public class Get {
  public static void main(String[] names) throws Exception {
    for (var name : names) {
      var request = HttpRequest.newBuilder(URI.create(name)).build();
      var client = HttpClient.newHttpClient();
      System.out.println(client.send(request, HttpResponse.BodyHandlers.discarding()).statusCode());
    }
  }
}
"""


def test_java(testbed, tmp_path: Path) -> None:
    (tmp_path / "Get.java").write_text(PROGRAM)
    command = ("java", "Get.java", "https://vk.com/", "https://www.wikipedia.org/")
    done = testbed("free-network", "--vantage", "mts", "--", *command)
    assert (done.out, done.status) == ("200\n200\n", 0), done.err


def test_without_the_trust_store_it_does_not(testbed, tmp_path: Path) -> None:
    """The twin: what makes it trust is the variable."""
    (tmp_path / "Get.java").write_text(PROGRAM)
    command = ("env", "-u", "JAVA_TOOL_OPTIONS", "java", "-Djavax.net.ssl.trustStore=/dev/null", "Get.java")
    done = testbed("free-network", "--vantage", "mts", "--", *command, "https://vk.com/")
    assert done.status == 1
    assert "SSLHandshakeException" in done.err or "trustAnchors" in done.err
