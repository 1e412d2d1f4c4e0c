"""What a person reads: the table of a run, and sentences that explain its labels."""
