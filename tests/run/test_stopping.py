"""How long services may take to stop."""

from testbed.run.folder import RunFolder
from testbed.run.laboratory import stop_within


def test_the_time_to_stop_grows_with_the_work(tmp_path):
    """100,000 flows are 20 MB of events; their receipt takes longer than five seconds on a busy machine."""
    folder = RunFolder.create(tmp_path / "run", "s")
    assert stop_within(folder, 0) == 5.0
    folder.events.write_bytes(bytes(20_000_000))
    assert stop_within(folder, 0) == 25.0
    assert stop_within(folder, 100) == 45.0
