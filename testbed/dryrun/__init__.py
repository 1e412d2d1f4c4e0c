"""Asks the pure core: a client's exchange with a target through the censors of a phase, without a world."""
