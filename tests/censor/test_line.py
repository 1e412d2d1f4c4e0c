import random

import pytest

from tests.censor.line import Kind, made_by_scapy, numbered

FIELDS = [(), (("ttl", 3),), (("id", 77), ("tos", 8)), (("flags", "MF"),), (("frag", 3),), (("urgptr", 9),)]


@pytest.mark.parametrize("who", ["L", "R"])
@pytest.mark.parametrize("flags", [None, "S", "PA"])
@pytest.mark.parametrize("version", [4, 6])
def test_numbers_filled_in_are_as_scapy_makes_them(who, flags, version):
    for fields in FIELDS if version == 4 else [(), (("hlim", 3),), (("fl", 5),)]:
        if flags is None and "urgptr" in dict(fields):
            continue
        for size in (0, 1, 2, 37):
            kind = Kind(who, version, flags, random.randbytes(size), fields)
            for ports in ((0, 1), (65535, 65535), (random.randrange(65536), random.randrange(65536))):
                numbers = (random.randrange(2**32), random.randrange(2**32))
                assert numbered(kind, ports, numbers).hex() == made_by_scapy(kind, ports, numbers).hex()


def test_a_udp_checksum_that_becomes_zero_is_ffff():
    kind = Kind("L", 4, None, b"ab", ())
    sums = {numbered(kind, (port, 53))[26:28].hex() for port in range(65536)}
    assert "0000" not in sums
    assert "ffff" in sums
