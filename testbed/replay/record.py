"""What a capture file holds, whatever its format."""

Record = tuple[int, int, bytes, int]
"""Time (ns since 1970; -1: the file has none), link type (a LINKTYPE number), frame, length on the wire."""


class Damaged(Exception):  # noqa: N818 (said to the user by whoever knows the file's name)
    """A length or a version in the file cannot be true."""


class Truncated(Exception):  # noqa: N818
    """The file ends in the middle of a record."""
