"""The former names of `testbed.world.children`."""

from testbed.world.children import Body as Target
from testbed.world.children import Children as Services
from testbed.world.children import Status

__all__ = ["Services", "Status", "Target"]
