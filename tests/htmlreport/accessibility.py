"""axe-core over a page that a browser has open."""

from pathlib import Path
from typing import Any

AXE = Path(__file__).parent / "axe/node_modules/axe-core/axe.min.js"
NO_AXE = "axe-core is not installed (npm ci --ignore-scripts in tests/htmlreport/axe)"
_RUN = """
const done = arguments[0];
axe.run(document, {resultTypes: ["violations"]}).then(found => done({
  passed: found.passes.length,
  violations: found.violations.map(one => `${one.id}: ${one.nodes.map(node => node.html).join(" ")}`),
}));
"""


def checked(browser: Any) -> dict[str, Any]:
    """The rules that the page violates, each with its elements, and how many it passed."""
    browser.execute_script(AXE.read_text("utf-8"))
    found: dict[str, Any] = browser.execute_async_script(_RUN)
    return found
