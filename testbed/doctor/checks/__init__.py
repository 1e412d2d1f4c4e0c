"""The checks, by subject. Each tries one feature and says what it saw, or raises Absent."""
