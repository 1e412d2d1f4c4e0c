"""What detectors say, read from their own output, and how often they are right."""
