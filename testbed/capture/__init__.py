"""Files of packets: pcap and pcapng, read and written, and the link types of their frames.

`open_capture` reads the `Record`s of a file, a pipe or standard input, in memory that does not grow with the
file; `PcapngWriter` writes packets.
"""
