"""For tests with pytest: worlds as fixtures, and assertions that explain (docs/pytest.md)."""

from testbed.testing.assertions import VantageResult, assert_blocked, assert_free

__all__ = ["VantageResult", "assert_blocked", "assert_free"]
