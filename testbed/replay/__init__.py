"""The core over captures: what a censor would do to each packet of a pcap or pcapng file."""
