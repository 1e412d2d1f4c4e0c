"""Connect to HOST on port 80 with a given TTL: python connect.py HOST TTL. Prints what came of it."""

import socket
import sys

host, ttl = sys.argv[1], int(sys.argv[2])
with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
    client.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
    client.settimeout(2)
    try:
        client.connect((host, 80))
    except TimeoutError:
        print("no answer")
    else:
        print("connected")
