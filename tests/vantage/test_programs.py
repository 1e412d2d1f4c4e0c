import pytest

from testbed.vantage.programs import PACKAGES, ProgramError, find_program


def refused(name, **environment):
    with pytest.raises(ProgramError) as caught:
        find_program(name, environment)
    return caught.value.status, str(caught.value)


@pytest.fixture
def path(tmp_path):
    for name in ("frobnicate", "other"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    return str(tmp_path)


def test_what_is_there_is_found(path):
    assert find_program("frobnicate", {"PATH": path}) == f"{path}/frobnicate"
    assert find_program(f"{path}/other", {"PATH": ""}) == f"{path}/other"


def test_the_nearest_name_is_suggested(path):
    assert refused("frobnicat", PATH=path) == (127, "frobnicat: no such program; did you mean 'frobnicate'?")


def test_a_known_program_comes_with_its_package(path):
    status, message = refused("kdig", PATH=path)
    assert (status, message) == (
        127,
        f"kdig: no such program; install it: apt-get install {PACKAGES['kdig']}",
    )


def test_nothing_near(path):
    assert refused("zzzzzz", PATH=f"{path}:/nonexistent") == (127, "zzzzzz: no such program")


@pytest.mark.parametrize("name", ["", "./none"])
def test_no_such_file(name):
    assert refused(name)[0] == 127


def test_not_executable(path, tmp_path):
    (tmp_path / "script").write_text("echo")
    status, message = refused(f"{path}/script")
    assert status == 126
    assert "chmod +x" in message
    assert refused(path)[0] == 126
