"""A curation stage that only tests use, declared as the real ones are: one file, and one line in a pipeline."""

import numpy as np

from vaserl.curation.stage import Column, Kept, Measure, Photograph, Recipe, Rejected, Stage, StageContext, Verdict
from vaserl.files.photograph import read_photograph

GLOSS = Column(name="gloss")
LEAST = 0.5


class Glaze:
    """A filter that adds the column `gloss`, a photograph's mean brightness in [0, 1], and rejects dark photographs."""

    def judge(self, photograph: Photograph) -> Verdict:
        gloss = float(np.asarray(read_photograph(photograph.photo)).mean() / 255)
        if gloss < LEAST:
            return Rejected(reason=f"a gloss of {gloss:.3f}, needed {LEAST:g}", columns={GLOSS.name: gloss})
        return Kept(columns={GLOSS.name: gloss})


def _recipe(context: StageContext) -> Recipe:
    return Recipe(make=Glaze, depends={"least": LEAST})


GLAZE = Stage(
    name="glaze",
    recipe=_recipe,
    columns=(GLOSS,),
    measures=(Measure(name=GLOSS.name, limit="least"),),
    hint="the light of the photographs",
)
