"""Tests the stage that asks the cut-out network what a photograph shows, on drawn photographs."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from tests.fakes.curation_stages import over_batches
from tests.fakes.turned_vases import lit_photograph, photograph, seen_mask, with_handles
from vaserl.curation.bodies.shown import Shown
from vaserl.curation.job.batch import batch_of, rows_of
from vaserl.curation.job.journal import Journal
from vaserl.curation.job.shards import Shard
from vaserl.curation.job.views import choose_views
from vaserl.curation.pipeline import PIPELINE
from vaserl.curation.settings import CurateSettings
from vaserl.curation.stage import KeptPhotograph, StageContext
from vaserl.curation.stages.shown import SHOWN
from vaserl.dataset import Row
from vaserl.meshes.cutout.method import NETWORK
from vaserl.meshes.cutout.views import MIN_SIDE, shows_whole


def rows_in(folder: Path) -> list[dict]:
    """Returns rows of one vase: a pot from the side, the same as a flat drawing, and cut out already."""
    mask = with_handles(seen_mask())
    pot = Image.fromarray(lit_photograph(mask))
    cut_out = pot.copy()
    cut_out.putalpha(Image.fromarray((mask * 255).astype(np.uint8)))
    pictures = {"1": Image.fromarray(photograph(mask)), "2": pot, "3": cut_out}
    for view, picture in pictures.items():
        picture.save(folder / f"{view}.png")
    columns = {"vase_id": "v", "rights": "", "credit": "", "record": "{}", "rejected_by": "", "reason": ""}
    return [columns | {"photo": str(folder / f"{view}.png"), "photo_sha256": view, "view": view} for view in pictures]


def test_shown_tells_a_whole_vase_from_a_drawing_and_keeps_both(tmp_path):
    drawing, pot, transparent = rows_of(over_batches(SHOWN, Shown, NETWORK)(batch_of(rows_in(tmp_path))))
    assert pot["side"] > 0.5 > drawing["side"] + drawing["above"]
    assert np.isnan(transparent["side"]) and np.isnan(transparent["above"])
    assert not any(row["rejected_by"] for row in (drawing, pot, transparent))


def test_choose_views_reads_what_the_network_has_seen(tmp_path):
    batch = over_batches(SHOWN, Shown, NETWORK)(batch_of(rows_in(tmp_path)[:2]))
    journal = Journal(tmp_path / "vases")
    journal.write(SHOWN.name, "k", batch)
    shard = Shard(number=0, file="", rows=None, columns=None, num_rows=2, key="k", step=SHOWN.name)
    context = StageContext(
        settings=CurateSettings.model_validate({"dataset": tmp_path / "vases", "source": {"path": tmp_path}})
    )
    choose = PIPELINE.choice_over_batches(context)
    read = [column.name for column in PIPELINE.choice.reads]
    assert list(choose_views([shard], journal, choose, read).losers[0]) == [0], "view 1 is the drawing"
    assert list(choose_views([shard], journal, choose).losers[0]) == [1], "without the network, view 1 comes first"


def test_shown_explains_itself():
    def told(scores: dict[str, float]) -> str:
        return SHOWN.tell(KeptPhotograph(row=Row(photo="p", vase_id="v", scores=scores), rivals=(), measured=""))

    assert told({"side": 0.93, "above": 0.05}) == "a whole vase from the side 93%, from above 5%"
    assert told({}) == "not judged, as it is transparent beside the vase"


def test_shown_depends_on_the_weights(tmp_path):
    plain = CurateSettings.model_validate({"dataset": tmp_path, "source": {"path": tmp_path}})
    depends = SHOWN.recipe(StageContext(settings=plain)).depends
    assert "cutout.json" in json.dumps(depends["weights"]), "the recipe of the installed weights"
    given = {"generator": "given", "generator_args": {"path": "{vase_id}.glb"}}
    other = CurateSettings.model_validate({"dataset": tmp_path, "source": {"path": tmp_path}, "lift": given})
    assert SHOWN.recipe(StageContext(settings=other)).depends == depends, "whatever the generator"


def test_shows_whole_ends_where_the_lift_refuses():
    assert shows_whole(MIN_SIDE) and not shows_whole(MIN_SIDE - 0.01)
