"""Scenario files: schema, loading, validation, and the resolved scenario every room works from."""
