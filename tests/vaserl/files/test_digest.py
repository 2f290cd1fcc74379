"""Tests the hash of a folder's files."""

from pathlib import Path

from vaserl.files import sha256_of_folder


def test_sha256_of_folder_depends_on_names_and_contents_alone(tmp_path: Path):
    def write(folder: str, files: dict[str, str]) -> str:
        for name, content in files.items():
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return sha256_of_folder(tmp_path / folder)

    first = write("a", {"config.json": "1", "deep/x.bin": "2"})
    assert write("b", {"deep/x.bin": "2", "config.json": "1", ".cache/lock": "hidden"}) == first
    others = [
        write("c", {"config.json": "1", "deep/x.bin": "3"}),
        write("d", {"config.json": "1", "x.bin": "2"}),
        write("e", {"config.json": "1"}),
        write("f", {"config.json": "2", "deep/x.bin": "1"}),
    ]
    assert len({first, *others}) == 5
