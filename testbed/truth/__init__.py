"""Expected outcomes, observed outcomes, and the proof of both."""
