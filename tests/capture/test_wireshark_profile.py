"""The colours of the Wireshark profile: black on each can be read, and no two acts share one."""

import re
from pathlib import Path

import testbed.capture

PROFILE = Path(testbed.capture.__file__).with_name("wireshark")
LINE = re.compile(r"@([^@]+)@([^@]+)@\[(\d+),(\d+),(\d+)\]\[(\d+),(\d+),(\d+)\]")


def luminance(*channels: str) -> float:
    """WCAG 2.2, relative luminance, of 16-bit channels."""
    linear = [
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (int(channel) / 65535 for channel in channels)
    ]
    return sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_each_colour_can_be_read_and_is_its_own():
    lines = [line for line in (PROFILE / "colorfilters").read_text().splitlines() if not line.startswith("#")]
    found = [LINE.fullmatch(line) for line in lines]
    assert [line for line, match in zip(lines, found, strict=True) if match is None] == []
    contrasts = {}
    for match in found:
        ground, ink = luminance(*match.groups()[2:5]), luminance(*match.groups()[5:8])
        contrasts[match[1]] = (ground + 0.05) / (ink + 0.05)
    assert {name: value for name, value in contrasts.items() if value < 7} == {}
    assert len({match.groups()[2:] for match in found}) == len(found)


def test_a_button_for_each_place_and_act():
    lines = (PROFILE / "dfilter_buttons").read_text().splitlines()
    assert all(re.fullmatch(r'"TRUE","[^"]+","[^"]+","[^"]+"', line) for line in lines)
