"""A stage that stands for lift and mesh gate: it writes a vase's model, and rejects that of a dark photograph."""

from pathlib import Path

from tests.fakes.glaze_stage import LEAST, Glaze
from vaserl.curation.stage import Column, Kept, Photograph, Recipe, Rejected, Stage, StageContext, Verdict
from vaserl.dataset import mesh_name

MOULDED = Column(name="mesh", kind=str, file="{}")


class Mould:
    """Writes the photograph's name as the vase's model. Notes the name of each photograph that it gets."""

    def __init__(self, dataset: Path) -> None:
        self._dataset = dataset

    def judge(self, photograph: Photograph) -> Verdict:
        name = photograph.photo.rsplit("/", 1)[-1]
        with (self._dataset / "notes").open("a") as notes:
            notes.write(f"{name}\n")
        attempt = 1 + photograph.columns.get("instead_of", "").count(".png")
        path = self._dataset / mesh_name(photograph.vase_id, attempt)
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
        columns = {MOULDED.name: mesh_name(photograph.vase_id, attempt)}
        if isinstance(Glaze().judge(photograph), Rejected):
            return Rejected(reason=f"darker than {LEAST:g}", columns=columns)
        return Kept(columns=columns)


def _recipe(context: StageContext) -> Recipe:
    return Recipe(make=Mould, arguments=(context.settings.dataset,))


MOULD = Stage(name="mould", recipe=_recipe, columns=(MOULDED,), hint="the light of the photographs")
