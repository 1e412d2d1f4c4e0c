"""Packets of a run as a sequence diagram: caught on both sides of a censor, matched, named, drawn."""
