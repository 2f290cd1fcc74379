"""A judge in a run: its store, its calibration, the pairs that it is asked about, and its gates."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from vaserl.errors import UserError
from vaserl.judge.asking import ask_pairs
from vaserl.judge.calibration import Calibration, read_calibration
from vaserl.judge.gates import CheckedGate, anchor_gate, completeness_gate, failed_gates, parse_gate
from vaserl.judge.judge import JudgeCard, PairJudge
from vaserl.judge.montage import PairImages
from vaserl.judge.pair import MeshPair
from vaserl.judge.settings import JudgeModelSettings, JudgeSettings
from vaserl.judge.store import StoreBinding, VerdictStore
from vaserl.judge.verdict import EvaluationVerdict, TrainingVerdict

OpenJudge = Callable[[JudgeModelSettings], AbstractContextManager[PairJudge]]
"""Starts a judge; the end of the `with` block stops it."""
_ANCHOR = "anchor/"


class JudgeSession:
    """A judge that is asked about pairs, with what it has answered so far."""

    def __init__(
        self,
        settings: JudgeSettings,
        model: JudgeModelSettings,
        card: JudgeCard,
        folder: Path,
        images: PairImages,
        open_judge: OpenJudge,
    ) -> None:
        """folder: folder of the judge's store."""
        self._model, self._open_judge, self._images, self._limits = model, open_judge, images, settings.gates
        self.binding = StoreBinding.of(card, settings.render.mode, settings.render.tile_side)
        self.store = VerdictStore(folder, self.binding)

    def ask(self, pairs: Sequence[MeshPair]) -> dict[str, TrainingVerdict | EvaluationVerdict]:
        """Asks about pairs that have no replies yet, and returns the verdicts on all of them, by pair."""
        ask_pairs(pairs, self.store, lambda: self._open_judge(self._model), self._images)
        return self.store.verdicts(pairs)

    def calibrated(self, folder: Path | None, key: str) -> Calibration:
        """Returns the calibration of this judge in a folder. key: the setting that names the folder.

        Raises: UserError without one; UserError if the judge failed a gate and gates.on_failure = "abort".
        """
        if folder is None:
            raise UserError(
                f"{key} is missing: run `python -m launch judge calibrate` and set it to that run's run_dir"
            )
        calibration = read_calibration(folder, self.binding)
        if not calibration.is_passed and self._limits.on_failure == "abort":
            names = ", ".join(gate.name for gate in failed_gates(calibration.gates))
            raise UserError(
                f"{key} = {folder}: the judge {self.binding.judge.name!r} failed the gates {names}; its verdicts mean "
                'nothing. Choose another judge, or set gates.on_failure = "void" to see a void report'
            )
        return calibration

    def gates(self, pairs: Sequence[MeshPair], calibration: Calibration) -> list[CheckedGate]:
        """Asks about the calibration's anchors again, and returns the gates of the calibration and of this run."""
        anchors = [replace(pair, id=_ANCHOR + pair.id) for pair in calibration.anchors]
        again = {name.removeprefix(_ANCHOR): verdict for name, verdict in self.ask(anchors).items()}
        return [
            *calibration.gates,
            *self.gates_of_replies(pairs, " in this run"),
            anchor_gate(calibration.verdicts, again, self._limits),
        ]

    def gates_of_replies(self, pairs: Sequence[MeshPair], where: str = "") -> list[CheckedGate]:
        """Returns the gates on the replies to these pairs: the share that is parsed, and both orders."""
        verdicts = self.store.verdicts(pairs)
        usable = len(pairs) - len(self.store.unusable(pairs))
        gates = [parse_gate(list(verdicts.values()), self._limits), completeness_gate(len(verdicts), usable)]
        return [replace(gate, name=gate.name + where) for gate in gates]
