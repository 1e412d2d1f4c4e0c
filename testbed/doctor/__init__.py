"""What this machine can do: every kernel feature and program that the laboratory uses, tried for real.

Nothing is guessed from a version. Each feature has one check, which tries the thing itself in a throw-away
isolated namespace and has a bound in time.
"""

from testbed.doctor.examine import examine, missing, required
from testbed.doctor.feature import Absent, Feature, Finding, Need

__all__ = ["Absent", "Feature", "Finding", "Need", "examine", "missing", "required"]
