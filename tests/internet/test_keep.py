"""An authority that is kept in a folder: made once, and refused if others could have its key."""

import pickle
import shutil
import stat
import threading
from datetime import timedelta

import pytest

from testbed.errors import InputError
from testbed.internet import authority as authorities
from testbed.internet.authority import Authority
from testbed.internet.keep import kept_authority


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def folder(tmp_path):
    kept_authority(tmp_path / "kept")
    return tmp_path / "kept"


def refusal(folder):
    with pytest.raises(InputError) as caught:
        kept_authority(folder)
    (problem,) = caught.value.problems
    assert problem.place == "--authority"
    return problem.message.replace(str(folder), "DIR"), problem.remedy.replace(str(folder), "DIR")


def test_it_is_made_once_and_private(tmp_path):
    folder = tmp_path / "new" / "kept"
    first, second = kept_authority(folder), kept_authority(folder)
    assert first.to_pem() == second.to_pem()
    assert (folder / "root.pem").read_text() == first.root_pem
    assert mode(folder) == 0o700
    assert {path.name: mode(path) for path in folder.iterdir()} == {
        "key.pem": 0o600,
        "intermediate.pem": 0o644,
        "root.pem": 0o644,
    }


def test_two_folders_have_two_authorities(tmp_path):
    assert kept_authority(tmp_path / "a").root_pem != kept_authority(tmp_path / "b").root_pem


def test_first_uses_at_once_agree(tmp_path):
    roots = []
    threads = [
        threading.Thread(target=lambda: roots.append(kept_authority(tmp_path / "kept").root_pem))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(roots) == 8
    assert len(set(roots)) == 1


def test_an_authority_can_be_pickled():
    authority = Authority.create()
    assert pickle.loads(pickle.dumps(authority)).to_pem() == authority.to_pem()


@pytest.mark.parametrize("bits", [0o755, 0o770, 0o701])
def test_a_shared_folder_is_refused(folder, bits):
    folder.chmod(bits)
    assert refusal(folder) == (
        f"DIR is open to others (mode {bits:o})",
        "if nobody had a chance to read it: chmod 700 DIR; otherwise name a new folder",
    )


@pytest.mark.parametrize("bits", [0o644, 0o620, 0o604])
def test_a_shared_key_is_refused(folder, bits):
    (folder / "key.pem").chmod(bits)
    assert refusal(folder)[0] == f"DIR/key.pem is open to others (mode {bits:o})"


def test_a_linked_key_is_refused(folder, tmp_path):
    (folder / "key.pem").rename(tmp_path / "elsewhere")
    (folder / "key.pem").symlink_to(tmp_path / "elsewhere")
    assert refusal(folder) == ("DIR/key.pem is a link", "put the file itself there")


def test_somebody_elses_folder_is_refused(folder, monkeypatch):
    monkeypatch.setattr("os.geteuid", lambda: folder.stat().st_uid + 1)
    message, remedy = refusal(folder)
    assert message == f"DIR belongs to somebody else (user {folder.stat().st_uid})"
    assert remedy == "name a folder of your own"


@pytest.mark.parametrize("name", ["root.pem", "intermediate.pem", "key.pem"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    assert refusal(folder) == (f"DIR lacks {name}", "restore it, or name a new folder")


@pytest.mark.parametrize("name", ["root.pem", "intermediate.pem", "key.pem"])
def test_files_of_two_authorities_are_refused(folder, tmp_path, name):
    kept_authority(tmp_path / "other")
    shutil.copy(tmp_path / "other" / name, folder / name)
    assert refusal(folder)[1] == "name a new folder, and trust its root.pem instead"


@pytest.mark.parametrize("name", ["root.pem", "intermediate.pem", "key.pem"])
def test_a_damaged_file_is_refused(folder, name):
    (folder / name).write_text("nothing")
    assert "the files of DIR are not an authority: " in refusal(folder)[0]


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "thesis.tex").touch()
    tmp_path.chmod(0o700)
    assert refusal(tmp_path) == ("DIR holds no authority, but other files", "name a new or empty folder")


def test_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    assert refusal(tmp_path / "file")[1] == "name a folder of your own"


def test_one_that_ends_before_its_leaves_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(authorities, "AUTHORITY_LIFE", timedelta(days=60))
    assert refusal(tmp_path / "kept")[0].startswith("DIR/root.pem ends on ")
