"""Scenario files: schema, loading, validation, and the resolved scenario that every package works with."""
