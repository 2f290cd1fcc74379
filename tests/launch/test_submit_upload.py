"""Tests of the files that a submitted job gets."""

import subprocess
import zipfile
from pathlib import Path

import pytest

from launch.submit.upload import Upload, find_upload
from vaserl.errors import UserError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Changes to a working directory with code, and much that no job needs."""
    names = "a.py configs/a.toml pkg/b.py pkg/data/c.txt pkg/__pycache__/b.pyc .git/x docs/d.md runs/r.bin x.egg-info/y"
    for name in names.split():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"0123456789")
    (tmp_path / "loop").symlink_to(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_find_upload_leaves_out_what_no_job_needs(work: Path):
    assert list(find_upload(work, max_mb=8).sizes) == ["a.py", "configs/a.toml", "pkg/b.py", "pkg/data/c.txt"]
    assert list(find_upload(work, max_mb=8, exclude=["pkg/data", "a.*"]).sizes) == ["pkg/b.py"]


def test_find_upload_names_the_largest_files(work: Path):
    (work / "model.bin").write_bytes(b"0" * 2_000_000)
    (work / "small.bin").write_bytes(b"0" * 700_000)
    with pytest.raises(UserError) as raised:
        find_upload(work, max_mb=2.5)
    first, *lines = str(raised.value).splitlines()
    assert "has 2.7 MB in 6 files, more than 2.5 MB" in first
    assert [line.split() for line in lines[:2]] == [["2.0", "MB", "model.bin"], ["0.7", "MB", "small.bin"]]
    assert "--exclude" in lines[-1]
    assert len(find_upload(work, max_mb=2.5, exclude=["model.bin"]).sizes) == 5


def test_upload_of_the_repository_is_below_the_limit():
    """Counts the files under version control: a checkout may have others, such as pictures of an experiment."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    if listed.returncode:
        pytest.skip("not a git checkout")
    upload = find_upload(ROOT, max_mb=1e6)
    tracked = set(listed.stdout.split("\0"))
    sizes = {name: size for name, size in upload.sizes.items() if name in tracked}
    assert sum(sizes.values()) < 8_000_000
    assert upload.has("launch/submit/driver.py") and upload.has("configs") and not upload.has("tests")


def test_find_upload_leaves_out_secrets_and_links_that_lead_out(work: Path, tmp_path_factory: pytest.TempPathFactory):
    outside = tmp_path_factory.mktemp("outside") / "private.txt"
    outside.write_text("private")
    (work / "pkg/link.txt").symlink_to(outside)
    (work / "pkg/inner.py").symlink_to(work / "a.py")
    names = [
        "token",
        "cluster_token",
        "my.token",
        "cert.pem",
        "id_rsa",
        "credentials.json",
        "tokens.py",
        "credentials.py",
    ]
    for name in names:
        (work / "pkg" / name).touch()
    found = [name.removeprefix("pkg/") for name in find_upload(work, max_mb=8).sizes if name.startswith("pkg/")]
    assert found == ["b.py", "credentials.py", "data/c.txt", "inner.py", "tokens.py"]


def test_upload_of_a_file_that_has_vanished_names_it(work: Path, tmp_path: Path):
    upload = find_upload(work, max_mb=8)
    (work / "pkg/b.py").unlink()
    with pytest.raises(UserError, match=r"pkg/b.py: can't be uploaded: No such file"):
        upload.write(tmp_path / "x.zip")


def test_upload_written_twice_has_equal_bytes(work: Path, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("archives")
    find_upload(work, max_mb=8).write(folder / "1.zip")
    (work / "a.py").touch()  # another time, the same content
    find_upload(work, max_mb=8).write(folder / "2.zip")
    assert (folder / "1.zip").read_bytes() == (folder / "2.zip").read_bytes()
    with zipfile.ZipFile(folder / "1.zip") as archive:
        assert archive.read("a.py") == b"0123456789"


def test_upload_has_folders_and_files():
    upload = Upload(folder=Path("/x"), sizes={"a/b.py": 1})
    assert [upload.has(name) for name in ("a", "a/", "./a/b.py", ".", "a/b", "b.py", "../x/a")] == [
        *(True, True, True, True, False, False, False),
    ]
