"""Labelled flows for people who train classifiers, made by the pure core."""
