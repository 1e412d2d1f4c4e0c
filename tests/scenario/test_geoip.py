"""A GeoIP file of the world: written by the program, read by the reader that the field's tools have."""

import maxminddb
import pytest
from click.testing import CliRunner

from testbed.cli.show import command
from testbed.errors import InputError
from testbed.scenario.geoip import write_geoip
from testbed.scenario.loader import load


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    file = tmp_path_factory.mktemp("geoip") / "world.mmdb"
    outcome = CliRunner().invoke(command, ["ooni-vectors", "--geoip", str(file)])
    assert (outcome.exit_code, outcome.output.startswith(f"{file}: ")) == (0, True)
    with maxminddb.open_database(file) as opened:
        yield opened


def test_every_address_of_the_world_is_in_it(database):
    world = load("ooni-vectors").world
    for site in world.sites:
        for address in site.addresses:
            record = database.get(address)
            found = (record["country"]["iso_code"], record["autonomous_system_number"])
            assert found == (site.country, site.asn), address


def test_a_subscriber_its_operator_and_a_server(database):
    mts = load("ooni-vectors").world.operator("mts")
    assert database.get(mts.subscriber4) == {
        "country": {"iso_code": "RU"},
        "autonomous_system_number": 8359,
        "autonomous_system_organization": "MTS",
    }
    assert database.get(mts.subscriber6) == database.get(mts.subscriber4)
    assert database.get("8.8.8.8") == {"country": {"iso_code": "US"}, "autonomous_system_number": 15169}
    assert database.get("192.0.2.1") is None


def test_a_folder_that_does_not_exist(tmp_path):
    with pytest.raises(InputError, match="No such file or directory"):
        write_geoip(load("free-network").world, tmp_path / "none" / "world.mmdb")
