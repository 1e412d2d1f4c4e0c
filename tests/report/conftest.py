"""The same small scenario as the truth's tests."""

from tests.truth.conftest import measurements, receipts, scenario

__all__ = ["measurements", "receipts", "scenario"]
