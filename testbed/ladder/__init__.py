"""Packets of a run as a ladder: captured on both sides of a censor, matched, named, drawn."""
