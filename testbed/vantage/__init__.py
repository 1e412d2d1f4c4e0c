"""Running things as a subscriber."""
