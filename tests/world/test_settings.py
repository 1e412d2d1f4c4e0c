from pathlib import Path

import pytest

from testbed.errors import UnsupportedError
from testbed.world import settings
from testbed.world.enter import isolated_call
from testbed.world.netns import Namespace, inside


@pytest.mark.parametrize(
    ("cpu", "text"), [(0, "1"), (3, "8"), (31, "80000000"), (32, "1,00000000"), (65, "2,00000000,00000000")]
)
def test_cpu_masks_are_as_the_kernel_writes_them(cpu, text):
    assert settings.cpu_mask(cpu) == text


@pytest.mark.world
def test_they_hold_inside_and_nowhere_else():
    def main():
        with inside(Namespace.create("mts")):
            settings.apply(settings.ROUTER)
            within = Path("/proc/sys/net/ipv4/ip_forward").read_text()
        return within, Path("/proc/sys/net/ipv4/ip_forward").read_text()

    assert isolated_call(main) == ("1\n", "0\n")


@pytest.mark.world
def test_one_that_this_kernel_lacks_is_named():
    def main():
        with pytest.raises(UnsupportedError, match=r"cannot set net/ipv4/no_such to '1': No such file"):
            settings.apply({"ipv4/no_such": "1"})

    isolated_call(main)
