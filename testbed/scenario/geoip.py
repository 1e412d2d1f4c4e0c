"""A world's addresses as a file of the MaxMind DB format: country and autonomous system of each.

Fields as in MaxMind's and OONI's files: `country.iso_code`, `autonomous_system_number` and, where the world
knows it, `autonomous_system_organization`. Addresses of nobody have no record.
"""

from pathlib import Path
from typing import Any, Final

from testbed.errors import InputError
from testbed.model import World
from testbed.model.announced import announced_by

_MISSING: Final = "the library that writes GeoIP files (mmdb-writer) is not installed"


def write_geoip(world: World, file: Path) -> int:
    """Write the file; the number of its networks. InputError if it cannot be written."""
    try:
        from mmdb_writer import MMDBWriter
        from netaddr import IPSet
    except ImportError:
        remedy = "install it: pip install 'runet-testbed[geoip]'"
        raise InputError.at("--geoip", _MISSING, remedy) from None
    writer = MMDBWriter(
        6,
        "GeoLite2-Country-ASN",
        languages=["en"],
        description=f"Addresses of the emulated Internet {world.name}",
        ipv4_compatible=True,
        int_type="u32",
    )
    entries = announced_by(world).entries
    for network, owner in reversed(entries):  # the longest prefixes last: they replace the others
        record: dict[str, Any] = {"country": {"iso_code": owner.country}} if owner.country else {}
        record["autonomous_system_number"] = owner.number
        if owner.name:
            record["autonomous_system_organization"] = owner.name
        writer.insert_network(IPSet([str(network)]), record)
    try:
        writer.to_db_file(str(file))
    except OSError as error:
        raise InputError.at(
            "--geoip", f"{file}: {error.strerror}", "name a file in a folder that exists"
        ) from error
    return len(entries)
