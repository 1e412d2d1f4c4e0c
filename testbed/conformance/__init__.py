"""What censors must do on the wire, as named cases, and what they were seen to do.

A case is a dialogue: given this policy, when L (the subscriber) or R (the far host) sends this, that must
follow. The same dialogue runs on two grounds: on the core alone, and through the kernel between two raw
endpoints. Packets are made and read by this room's own code, so that the code under test does not build its
own evidence.
"""
