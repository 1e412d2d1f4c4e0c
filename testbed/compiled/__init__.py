"""The core's hot modules, compiled by mypyc where somebody has asked for it (`testbed compile`).

The same source; everything works without. What is compiled is kept in the user's cache under a digest of the
core's source, and is used only while that is the same: an edited core runs as Python until it is compiled.
"""
