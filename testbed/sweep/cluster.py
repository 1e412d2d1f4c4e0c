"""A Dask cluster: workers of this machine, or a scheduler somewhere. Its errors are one line each."""

import logging
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from testbed import __version__
from testbed.errors import InputError, InvalidRunError
from testbed.parquet.store import extra

PATIENCE: Final = 10.0  # seconds for a scheduler's answer; our choice
# Its page is served in any case: by itself at every address, and at a port that others may have.
UNSEEN: Final = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}
DEATHS: Final = 5  # of workers under a task, after which Dask gives it back; our choice
_NO_SCHEDULER: Final = "is it started? dask scheduler --port 8786"


@contextmanager
def local_cluster(workers: int) -> Iterator[Any]:
    """A client of so many worker processes here, each with one thread."""
    distributed, dask = extra("distributed", "sweep"), extra("dask", "sweep")
    _be_quiet()
    dask.config.set(
        {"distributed.worker.daemon": False, "distributed.scheduler.allowed-failures": DEATHS - 1}
    )
    with (
        tempfile.TemporaryDirectory(prefix="sweep-", ignore_cleanup_errors=True) as scratch,
        distributed.LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1",
            memory_limit=0, silence_logs=logging.CRITICAL, local_directory=scratch, scheduler_kwargs=UNSEEN,
        ) as cluster,
        distributed.Client(cluster) as client,
    ):  # fmt: skip
        yield client


@contextmanager
def remote_cluster(address: str) -> Iterator[Any]:
    """A client of the scheduler at an address.

    Errors: InputError if there is none, if it has no worker, or if one has another version.
    """
    distributed = extra("distributed", "sweep")
    _be_quiet()
    try:
        client = distributed.Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        why = _first_line(error)
        raise InputError.at(
            "--scheduler", f"no scheduler answers at {address} ({why})", _NO_SCHEDULER
        ) from None
    except Exception as error:
        message = f"{address} cannot be spoken to ({_first_line(error)})"
        raise InputError.at(
            "--scheduler", message, f"it needs Dask {distributed.__version__}, as here"
        ) from None
    try:
        _must_fit(client, address, distributed.__version__)
        yield client
    finally:
        with suppress(Exception):
            client.close(PATIENCE)


def workers_of(client: Any) -> list[str]:
    """The addresses of the workers that are there. InvalidRunError if the scheduler has gone."""
    try:
        return sorted(client.scheduler_info(n_workers=-1)["workers"])
    except Exception as error:
        raise InvalidRunError(
            f"the scheduler has gone ({_first_line(error)}); what is made is kept"
        ) from None


def bring_back(client: Any, present: int) -> None:
    """Start workers of this machine in place of those that Dask gave up.

    It looks fifteen seconds after a death, and has no patience with one that died again and is not back yet.
    """
    own = client.cluster  # None for a scheduler somewhere: its workers are not ours
    if own is not None and present < len(own.worker_spec):
        own.scale(len(own.worker_spec))


def _must_fit(client: Any, address: str, own: str) -> None:
    try:
        found = client.get_versions()
    except Exception as error:
        message = f"{address} cannot be spoken to ({_first_line(error)})"
        raise InputError.at("--scheduler", message, f"it needs Dask {own}, as here") from None
    sides = {"the scheduler": found["scheduler"], **{f"worker {k}": v for k, v in found["workers"].items()}}
    for side, versions in sides.items():
        other = (versions or {}).get("packages", {}).get("distributed")
        if other != own:
            remedy = f"install the same on both sides: pip install distributed=={own}"
            raise InputError.at("--scheduler", f"{side} has Dask {other}, and this is {own}", remedy)
    if not found["workers"]:
        remedy = f"start some: dask worker {address} --nthreads 1 --no-dashboard"
        raise InputError.at("--scheduler", f"{address} has no worker", remedy)
    for worker, version in client.run(_version, on_error="return").items():
        if version != __version__:
            message = f"worker {worker} has testbed {version if isinstance(version, str) else 'none'}"
            raise InputError.at(
                "--scheduler", f"{message}, and this is {__version__}", "install the same there"
            )


def _version() -> str:
    return __version__


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _be_quiet() -> None:
    """What concerns a user is said by us, in a line."""
    warnings.filterwarnings("ignore", "\\s*Mismatched versions")
    names = ("distributed", "tornado", "bokeh", "asyncio")
    below = [one for one in logging.root.manager.loggerDict if one.partition(".")[0] in names]
    for name in (*names, *below):  # some of Dask's have levels of their own
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
