import pytest

from tests.internet.emulated import FarSide


@pytest.fixture(scope="package")
def far_side():
    side = FarSide()
    yield side
    side.close()
