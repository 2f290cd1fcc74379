"""A data set in the layout of VaseVQA-3D, made of synthetic vases."""

import json
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from vaserl.meshes.turntable import TurntableRenderer
from vaserl.rewards.vase import reference_caption
from vaserl.synthetic.mesh import build_mesh, to_glb
from vaserl.synthetic.paint import paint_vase
from vaserl.synthetic.record import beazley_record
from vaserl.synthetic.world import traits_of

WORLD_SEED = 11


def write_published_layout(folder: Path, names: Sequence[str], *, num_test: int = 1) -> None:
    """Writes models/, images/ and annotations/ of the vases with these names; the first `num_test` are the test
    split."""
    captions, questions, metadata = [], [], []
    (folder / "models").mkdir(parents=True)
    with TurntableRenderer(56) as turntable:
        for index, name in enumerate(names):
            traits = traits_of(WORLD_SEED, index)
            mesh = build_mesh(traits, paint_vase(traits))
            (folder / "models" / f"{name}_textured_2k.glb_shaded.glb").write_bytes(to_glb(mesh))
            for view, image in turntable.render_six_views(mesh).items():
                (folder / "images" / view).mkdir(parents=True, exist_ok=True)
                Image.fromarray(image).save(folder / "images" / view / f"{name}.jpg", quality=95)
            record = beazley_record(name, index, traits)
            captions.append({"images": [f"{name}_ac001001.jpg"], "caption": reference_caption(record)})
            answer = f"The of fabric the vase is {record['Fabric']}."
            questions.append({"id": name, "question": "What is the fabric of the vase?", "answer": answer})
            questions.append({"id": name, "question": "What is the provenance of the vase?", "answer": "NOLA"})
            questions.append({"id": name, "question": "What is the height of the vase?", "answer": "30 cm"})
            split = "test" if index < num_test else "train"
            metadata.append({**record, "id": name.rpartition("_")[0], "split": split})
    (folder / "annotations").mkdir()
    for file, content in (("captions", captions), ("qa_pairs", questions), ("metadata", metadata)):
        (folder / "annotations" / f"{file}.json").write_text(json.dumps(content, indent=1))
