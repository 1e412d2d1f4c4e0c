"""`execute`: a job in, a result out. It prints nothing; a command has the streams of its caller."""

from testbed.run.job import Job
from testbed.run.result import RunResult
from testbed.run.session import Beside, LaterWork, Session, Work, carry_out_beside


def execute(job: Job, beside: Beside | None = None) -> RunResult:
    """Build the job's world, measure it or run the job's command in it, and judge.

    Call it from the main thread; for several runs at once use processes. An interrupted or failed run is a
    result too: `valid` is false, `problems` says why, `exit_status` is that of `testbed run`. `beside`: what
    goes on in this process meanwhile, as a live view.

    Errors: InputError for what is wrong with the job; UnsupportedError if this machine lacks a feature.
    """
    return carry_out_beside(Session.prepare(job), _work(job), beside)


def _work(job: Job) -> Work:
    if not job.runs_program:
        return LaterWork("testbed.run.probing", "run_probe")
    return LaterWork("testbed.run.program", "run_shell" if job.shell else "run_command")
