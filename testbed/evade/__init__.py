"""Strategies of our own against filters that read the first bytes of a connection, and a proxy with them.

The core is pure: a strategy is handed what the client sends first and says in which pieces it leaves. The
proxy (`python -m testbed.evade`) speaks SOCKS 5 and HTTP CONNECT to the client.
"""
