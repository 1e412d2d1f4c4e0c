"""`testbed console`: a local web page over standing worlds."""
