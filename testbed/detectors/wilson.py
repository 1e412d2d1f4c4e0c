"""Wilson's interval of a share.

Its formula is the whole implementation: a library that has it (statsmodels, scipy) costs a hundred megabytes.
Source: E. B. Wilson, JASA 22 (1927); the values in the tests are those of R. G. Newcombe, Statistics in
Medicine 17 (1998), method 3.
"""

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import Any

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class CountedShare:
    """`hits` of `of`."""

    hits: int
    of: int

    @property
    def value(self) -> float | None:
        """The share, None of nothing."""
        return self.hits / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper bound of the 95 % interval; of nothing, everything."""
        if not self.of:
            return 0.0, 1.0
        z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
        share, weight = self.hits / self.of, z * z / self.of
        middle = (share + weight / 2) / (1 + weight)
        width = z * sqrt(share * (1 - share) / self.of + weight / (4 * self.of)) / (1 + weight)
        return max(0.0, middle - width), min(1.0, middle + width)

    def __str__(self) -> str:
        """As "12 of 14, 86 % (60-96 %)"."""
        if self.value is None:
            return "none"
        low, high = self.interval
        return f"{self.hits} of {self.of}, {self.value:.0%} ({100 * low:.0f}-{100 * high:.0f} %)"

    def to_json(self) -> dict[str, Any]:
        """As a dict."""
        low, high = self.interval
        value = self.value
        return {
            "hits": self.hits,
            "of": self.of,
            "share": None if value is None else round(value, 4),
            "interval": [round(low, 4), round(high, 4)],
        }
