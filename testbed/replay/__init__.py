"""The core over captures: what each packet of a pcap or pcapng file would have met."""
