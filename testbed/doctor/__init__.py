"""What this machine supports: every kernel feature and program that the laboratory uses, tried for real.

Nothing is inferred from a version. Each feature has one check, which tries the feature itself in a temporary
isolated namespace, with a time limit.
"""

from testbed.doctor.examine import examine, missing, required
from testbed.doctor.feature import Absent, Feature, Finding, Need

__all__ = ["Absent", "Feature", "Finding", "Need", "examine", "missing", "required"]
