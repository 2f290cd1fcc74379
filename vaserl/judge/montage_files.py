"""The montages of a run as PNG files, which its report shows."""

from hashlib import sha256
from pathlib import Path

from PIL import Image

from vaserl.files import atomic_file, sha256_of
from vaserl.judge.montage import PairImages
from vaserl.judge.pair import MeshPair


class MontageFiles:
    """Montages in RUN/montages, named by the content of mesh and photograph; each is rendered once."""

    def __init__(self, run_dir: Path, images: PairImages, render_sha256: str) -> None:
        self._folder, self._images, self._render = run_dir / "montages", images, render_sha256

    def of_pair(self, pair: MeshPair) -> list[str]:
        """Returns the paths of the montages of a and b, relative to the run's folder."""
        return [self._of(mesh, pair.photo) for mesh in (pair.a, pair.b)]

    def _of(self, mesh: Path, photo: Path) -> str:
        key = sha256(f"{sha256_of(mesh)}{sha256_of(photo)}{self._render}".encode()).hexdigest()[:24]
        path = self._folder / f"{key}.png"
        if not path.is_file():
            self._folder.mkdir(exist_ok=True)
            with atomic_file(path) as file:
                Image.fromarray(self._images.montage(mesh, photo)).save(file, "PNG")
        return f"{self._folder.name}/{path.name}"
