"""A Russian Internet on one Linux machine: operators, sites and censorship, emulated at packet level."""

__version__ = "0.1.0"
