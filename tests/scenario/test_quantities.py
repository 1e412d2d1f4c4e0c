import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.scenario import quantities
from testbed.scenario.quantities import UnitError


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (quantities.seconds, "600 s", 600.0),
        (quantities.seconds, "75s", 75.0),
        (quantities.seconds, "250 ms", 0.25),
        (quantities.seconds, "10 min", 600.0),
        (quantities.seconds, "1.5 h", 5400.0),
        (quantities.seconds, 0, 0.0),
        (quantities.bits_per_second, "140 kbit/s", 140_000.0),
        (quantities.bits_per_second, "650 B/s", 5200.0),
        (quantities.bits_per_second, "1 Gbit/s", 1e9),
        (quantities.bits_per_second, "2 KiB/s", 16384.0),
        (quantities.octets, "16 KiB", 16384),
        (quantities.octets, "1500 B", 1500),
        (quantities.octets, "1.5 kB", 1500),
        (quantities.share, "5 %", 0.05),
        (quantities.share, "0.084%", pytest.approx(0.00084)),
        (quantities.share, 0.5, 0.5),
        (quantities.share, 1, 1.0),
        (quantities.rate_range, "130..150 kbit/s", (130_000.0, 150_000.0)),
        (quantities.rate_range, "0.5 .. 1.5 Mbit/s", (500_000.0, 1_500_000.0)),
    ],
)
def test_reads(parse, text, value):
    assert parse(text) == value


@pytest.mark.parametrize(
    ("parse", "text", "message", "remedy"),
    [
        (quantities.bits_per_second, "140 kb", "unknown unit 'kb'", "kbit/s"),
        (quantities.bits_per_second, "140 Kbit/s", "unknown unit 'Kbit/s'", "did you mean 'kbit/s'?"),
        (quantities.bits_per_second, "140", "no unit", "kbit/s"),
        (quantities.bits_per_second, 140, "it has no unit", "140 kbit/s"),
        (quantities.bits_per_second, "0 bit/s", "more than 0", "140 kbit/s"),
        (quantities.bits_per_second, "-3 bit/s", "'-3 bit/s' is not a rate", "140 kbit/s"),
        (quantities.bits_per_second, "9" * 400 + " Gbit/s", "too large", "100 Gbit/s at most"),
        (quantities.bits_per_second, "fast", "'fast' is not a rate", "140 kbit/s"),
        (quantities.seconds, "10 m", "unknown unit 'm'", "min"),
        (quantities.seconds, "10 kB", "unknown unit 'kB'", "ms, s, min"),
        (quantities.seconds, True, "True is not a time", "75 s"),
        (quantities.seconds, None, "None is not a time", "75 s"),
        (quantities.octets, "16 KB", "unknown unit 'KB'", "did you mean 'kB'?"),
        (quantities.octets, 16384, "it has no unit", "16 KiB"),
        (quantities.share, "5", "'5' is not a share", "5 %"),
        (quantities.share, "101 %", "not a share", "from 0 to 1"),
        (quantities.share, 1.5, "not a share", "from 0 to 1"),
        (quantities.share, float("nan"), "not a share", "from 0 to 1"),
        (quantities.rate_range, "150..130 kbit/s", "is reversed", "130..150 kbit/s"),
        (quantities.rate_range, "130-150 kbit/s", "not a range", "130..150 kbit/s"),
        (quantities.rate_range, "130..150 kb", "unknown unit 'kb'", "kbit/s"),
    ],
)
def test_refuses(parse, text, message, remedy):
    with pytest.raises(UnitError) as caught:
        parse(text)
    assert message in str(caught.value)
    assert remedy in caught.value.remedy


@given(st.text() | st.integers() | st.floats() | st.none() | st.lists(st.integers()))
def test_junk_is_refused_or_a_finite_number(value):
    for parse in (quantities.seconds, quantities.bits_per_second, quantities.octets, quantities.share):
        number, remedy = 0.0, "none needed"
        try:
            number = parse(value)
        except UnitError as error:
            remedy = error.remedy
        assert 0 <= number < float("inf")
        assert remedy
