"""What censors must do on the wire, as named cases, and whether they do it.

A case is a dialogue: under this policy, when L (the subscriber) or R (the far host) sends this, that must
follow. The same dialogue runs on two backends: the core alone, and real censors in the kernel between two raw
endpoints. Packets are built and parsed by this package's own code, so that the code under test does not
produce its own evidence.
"""
