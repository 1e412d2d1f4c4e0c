"""The former name of `testbed.world.enter.isolated_call`."""

from testbed.world.enter import isolated_call as in_world

__all__ = ["in_world"]
