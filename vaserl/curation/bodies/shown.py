"""Asks the cut-out network what each photograph shows."""

from vaserl.curation.stage import Kept, Photograph, Verdict
from vaserl.curation.stages.shown import FROM_ABOVE, SIDE_VIEW
from vaserl.files.photograph import read_photograph
from vaserl.meshes.cutout.method import load_look


class Shown:
    """Adds the columns `side` and `above` and keeps every photograph. A photograph with transparency gets no values:
    the network would take what is cut out for a drawing."""

    def __init__(self, cutout: str) -> None:
        """`cutout` is the way of cutting out, whose weights may be other ones of the network."""
        self._look = load_look(cutout)

    def judge(self, photograph: Photograph) -> Verdict:
        """Returns the verdict, which keeps the photograph, with the probabilities that the network finds."""
        views = self._look(read_photograph(photograph.photo, keep_alpha=True))
        if views is None:
            return Kept()
        return Kept(columns={SIDE_VIEW.name: views["side"], FROM_ABOVE.name: views["above"]})
