"""Methods of dataclasses and patterns from the disk: they do the same, whatever is wrong with the file."""

import marshal
import os
import resource
import struct
import subprocess
import sys
import zlib
from functools import partial
from pathlib import Path

import pytest

from testbed.compiled.kept import MANY, MOST, record, records
from testbed.usercache import OFF

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
from testbed.compiled import kept
kept.use()
kept.use()
from dataclasses import FrozenInstanceError, asdict, dataclass, field, replace

@dataclass(frozen=True, slots=True, order=True)
class Point:
    x: int
    y: int = 2
    names: tuple[str, ...] = ()

@dataclass
class Open:
    points: list[Point] = field(default_factory=list)
    total: int = field(init=False, default=0, compare=False)

    def __post_init__(self) -> None:
        self.total = len(self.points)

one = Point(1, names=("a",))
try:
    one.x = 3
except FrozenInstanceError as error:
    print("frozen:", error)
match one:
    case Point(x, y):
        print(x, y)
print(one, hash(one) == hash(replace(one)), one < Point(2), replace(one, x=4))
print(Open([one]), asdict(Open([one])))
print(Open() == Open(), Open() == one, Point.__init__.__annotations__, Open.__hash__)

import re, some_patterns
print([one.findall("K1 k22 \u212a3") for one in some_patterns.TEXTS], some_patterns.OCTETS.findall(b"k1 k22"))
print([(one.pattern, one.flags, one.groups, one.groupindex) for one in some_patterns.TEXTS])
print(re.compile("computed [0-9]+").match("computed 7"))
try:
    re.compile("(")
except re.error as error:
    print("error:", error)
"""
PATTERNS = """
import re
TEXTS = [re.compile(r"(?P<letter>k)(\\d+)", re.IGNORECASE), re.compile("k(?=[0-9])")]
TEXTS.append(re.compile("[^ ]+", re.ASCII))
OCTETS = re.compile(rb"(k)\\d+")
"""
MODULES: list[Path] = []
POISON = marshal.dumps(compile("def __create_fn__(*_, **__): print('poison')", "<string>", "exec"))


@pytest.fixture(autouse=True, scope="module")
def _patterns(tmp_path_factory):
    """A module with patterns, where the program finds it."""
    place = tmp_path_factory.mktemp("modules")
    (place / "some_patterns.py").write_text(PATTERNS, "utf-8")
    MODULES.append(place)


def environment_with(cache: Path) -> dict[str, str]:
    found = os.pathsep.join(map(str, (ROOT, *MODULES)))
    return {**os.environ, "XDG_CACHE_HOME": str(cache), "PYTHONPATH": found, OFF: ""}


def said(cache: Path, *options: str, most: int | None = None, **variables: str) -> str:
    """What the program prints; `most`: octets that it may write to a file."""
    environment = {**environment_with(cache), **variables}
    limits = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (most, most)) if most else None
    if most:  # or Python leaves half of a module's byte code for the next process
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
    done = subprocess.run(
        [sys.executable, *options, "-c", PROGRAM],
        env=environment, check=False, capture_output=True, text=True, preexec_fn=limits,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """What it prints where nothing is kept."""
    place = tmp_path_factory.mktemp("plain")
    printed = said(place, **{OFF: "1"})
    assert list(place.iterdir()) == []
    assert "frozen: cannot assign to field 'x'" in printed
    return printed


def kept(cache: Path) -> list[Path]:
    return list((cache / "runet-testbed-code").iterdir())


def poisoned(content: bytes) -> bytes:
    """The same texts with code that says so."""
    texts = [key for key in kept_keys(content) if isinstance(key, str)]
    assert texts
    return record(dict.fromkeys(texts, POISON))


def kept_keys(content: bytes) -> set:
    return {key for one in records(content) or () for key in one}


def test_they_do_the_same_and_are_compiled_once(tmp_path, plain):
    assert said(tmp_path) == plain
    (file,) = kept(tmp_path)
    first = file.read_bytes()
    assert len(records(first) or ()) > 10
    assert said(tmp_path) == plain
    assert file.read_bytes() == first
    assert file.stat().st_mode & 0o777 == 0o600


def test_many_records_become_one(tmp_path, plain):
    said(tmp_path)
    (file,) = kept(tmp_path)
    keys = kept_keys(file.read_bytes())
    with file.open("ab") as end:
        for number in range(MANY):
            end.write(record({f"x = {number}": b""}))
    assert said(tmp_path) == plain
    assert kept(tmp_path) == [file]
    (whole,) = records(file.read_bytes()) or ()
    assert whole.keys() == keys | {f"x = {number}" for number in range(MANY)}
    assert said(tmp_path) == plain
    assert file.stat().st_mode & 0o777 == 0o600


def test_what_is_there_is_what_is_run(tmp_path, plain):
    """Otherwise the tests below would show nothing."""
    said(tmp_path)
    (file,) = kept(tmp_path)
    file.write_bytes(poisoned(file.read_bytes()))
    environment = environment_with(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, check=False, capture_output=True, text=True
    )
    assert "poison" in done.stdout


def test_the_patterns_of_modules_are_kept_and_no_others(tmp_path):
    said(tmp_path)
    (file,) = kept(tmp_path)
    patterns = {key[1]: key for key in kept_keys(file.read_bytes()) if not isinstance(key, str)}
    ours = {r"(?P<letter>k)(\d+)", "k(?=[0-9])", "[^ ]+", rb"(k)\d+"}
    assert patterns.keys() >= ours
    assert not {"computed [0-9]+", "("} & patterns.keys()


def test_a_pattern_that_is_there_is_what_matches(tmp_path, plain):
    said(tmp_path)
    (file,) = kept(tmp_path)
    found = {key: made for one in records(file.read_bytes()) or () for key, made in one.items()}
    keys = {key[1]: key for key in found if not isinstance(key, str)}
    found[keys["k(?=[0-9])"]] = found[keys["[^ ]+"]]
    file.write_bytes(record(found))
    said_then = said(tmp_path)
    assert said_then != plain
    other = "['K1', 'k22', '\u212a3'], ['K1', 'k22', '\u212a3']"
    assert other in said_then
    assert other not in plain


@pytest.mark.parametrize("damage", ["cut", "flipped", "junk", "empty", "long", "other"])
def test_a_damaged_file_is_replaced(tmp_path, plain, damage):
    said(tmp_path)
    (file,) = kept(tmp_path)
    content = file.read_bytes()
    match damage:
        case "cut":
            file.write_bytes(content[:-7])
        case "flipped":
            middle = len(content) // 2
            file.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
        case "junk":
            file.write_bytes(os.urandom(5000))
        case "empty":
            file.write_bytes(b"")
        case "other":
            junk = marshal.dumps(["no methods"])
            file.write_bytes(content + struct.pack("<II", len(junk), zlib.crc32(junk)) + junk)
        case "long":
            file.write_bytes(content * (MOST // len(content) + 1))
    for _ in range(2):
        assert said(tmp_path) == plain
    assert kept_keys(file.read_bytes()) == kept_keys(content)


@pytest.mark.parametrize("why", ["file", "folder", "owner"])
def test_what_others_may_write_is_not_run(tmp_path, plain, why):
    said(tmp_path)
    (file,) = kept(tmp_path)
    file.write_bytes(poisoned(file.read_bytes()))
    if why == "folder":
        file.parent.chmod(0o777)
    elif why == "owner" and os.geteuid() == 0:
        os.chown(file, 1000, 1000)
    else:
        file.chmod(0o666)
    assert said(tmp_path) == plain
    assert b"poison" in file.read_bytes()


def test_no_place_for_it(tmp_path, plain):
    (tmp_path / "file").touch()
    assert said(tmp_path / "file") == plain


def test_a_full_disk(tmp_path, plain):
    """It takes a few records, and a part of the next."""
    assert said(tmp_path, most=3000) == plain
    (file,) = kept(tmp_path)
    assert file.stat().st_size <= 3000
    assert records(file.read_bytes()) is None
    for _ in range(2):
        assert said(tmp_path) == plain
    assert records(file.read_bytes())


def test_another_way_to_compile_has_a_file_of_its_own(tmp_path, plain):
    said(tmp_path)
    assert said(tmp_path, "-O") == plain
    assert len(kept(tmp_path)) == 2


def test_many_at_once(tmp_path, plain):
    environment = environment_with(tmp_path)
    running = [
        subprocess.Popen([sys.executable, "-c", PROGRAM], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(6)
    ]
    assert {one.communicate()[0] for one in running} == {plain}
    (file,) = kept(tmp_path)
    content = file.read_bytes()
    assert said(tmp_path) == plain
    assert file.read_bytes() == content
