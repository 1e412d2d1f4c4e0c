"""Running a detector over scenarios, phases, vantages and repeats, and recording every trial."""
