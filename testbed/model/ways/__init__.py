"""One way for a client to a tool per file."""
