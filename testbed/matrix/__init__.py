"""The bench of circumvention: tools and strategies by boxes, a table of cells, each with what decided it.

Purely (`purecells`), where strategy and box are functions, or live (`livecells`), in worlds.
"""
