"""Any program, by its exit status alone: 0 is free, everything else is blocked."""

from testbed.detectors.adapter import Adapter, ToolOutput
from testbed.detectors.verdicts import Complaint, Said, ToolReport, ToolVerdict


def read(output: ToolOutput) -> ToolReport:
    """One verdict, without a mechanism."""
    if output.status is None:
        return ToolReport((), (Complaint("empty", "", "the exit status is not known"),))
    said: Said = "blocked" if output.status else "free"
    return ToolReport((ToolVerdict(output.target, said, words=f"exit status {output.status}"),))


EXIT_STATUS = Adapter(name="exit-status", title="any program, by its exit status alone", read=read)
