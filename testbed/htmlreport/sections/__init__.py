"""The sections of the page: functions from what was read to blocks, without I/O. One file each."""
