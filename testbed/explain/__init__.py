"""The story of one flow of a run: what each side sent, saw and did, and why."""
