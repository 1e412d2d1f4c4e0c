"""What should be seen, what was seen, and whether both are proven."""
