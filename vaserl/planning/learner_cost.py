"""Seconds and memory of the learner: forward and backward passes over groups in the shared-prefix layout."""

from collections.abc import Mapping
from dataclasses import dataclass

from vaserl.errors import UserError
from vaserl.planning.device import Device
from vaserl.planning.efficiency import COLLECTIVES, CONTEXT
from vaserl.planning.load import GroupLoad
from vaserl.planning.model_shape import ModelShape
from vaserl.settings import LearnerSettings

_CHUNK = 512
"""Tokens whose logits exist at once."""
_LOGIT_COPIES = 4
"""Arrays of float32 logits that exist at once: logits, their softmax and the gradients."""
_MASTER_BYTES = 12
"""Bytes of a trained weight's float32 master and AdamW's two moments."""
_ATTENTION_BACKWARD = 2.5
"""Operations of attention's backward pass over those of its forward pass: flash attention computes the scores again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnerCost:
    """The learner's work on one device."""

    shape: ModelShape
    device: Device
    settings: LearnerSettings
    has_reference: bool = False
    """True if each group gets another forward pass, of the reference policy (loss.beta > 0)."""
    has_tower: bool = False
    """True if the learner runs the vision tower itself, because features are not stored."""

    @property
    def num_trained(self) -> int:
        """Number of trained weights."""
        if self.settings.method == "lora":
            return self.shape.num_adapter(self.settings.lora.rank)
        return self.shape.num_text + (self.shape.num_tower if self.settings.train_vision else 0)

    @property
    def zero_stage(self) -> int:
        """DeepSpeed's ZeRO stage. Raises: UserError if the settings have none that exists."""
        stage = self.settings.deepspeed.get("zero_optimization", {}).get("stage", 0)
        if isinstance(stage, bool) or stage not in (0, 1, 2, 3):
            raise UserError(f"learner.deepspeed.zero_optimization.stage = {stage!r}: set 0, 1, 2 or 3, without quotes")
        return int(stage)

    @property
    def num_owners(self) -> int:
        """Number of ranks over which the optimizer's state is divided."""
        return self.settings.num_ranks if self.zero_stage >= 1 else 1

    def group_s(self, group: GroupLoad) -> dict[str, float]:
        """Returns the seconds of one group's forward and backward pass, by part.

        A weight needs 2 operations for each token in the forward pass, 2 for the gradient of the input, and 2 more if
        it is trained; attention needs 4 for each pair of tokens, hidden dimension and layer.
        """
        device, shape, constants = self.device, self.shape, self.device.efficiency
        forwards = 1 + self.settings.gradient_checkpointing + self.has_reference
        backwards = 2 if self.settings.method == "full" else 1
        passes = constants.passes_forward * forwards + constants.passes_backward
        values = group.num_tokens * shape.num_layers * shape.layer_width * device.itemsize
        moved = values * passes * (constants.compiled if self.settings.compile else 1.0) / device.bandwidth
        products = 2.0 * shape.num_linear * group.num_tokens * (forwards + backwards)
        scores = 4.0 * group.num_pairs * shape.hidden_size * shape.num_layers * (forwards + _ATTENTION_BACKWARD)
        logits = 2.0 * shape.num_head * group.num_answer * (3 + self.has_reference)
        return {
            "products": device.compute_s(products, constants.matmul),
            "attention": device.compute_s(scores, constants.attention),
            "head": device.compute_s(logits, constants.head),
            "elementwise": moved,
            "host": shape.num_layers * (forwards + 2) * constants.layer_s,
            **({"tower": tower_s(shape, device, group.num_clip)} if self.has_tower else {}),
        }

    def step_s(self, group: GroupLoad, num_groups: int, network: float) -> dict[str, float]:
        """Returns the seconds of a step, by part. num_groups: groups of one rank, the one with the most. network: bytes
        per second between the ranks' nodes."""
        constants, device = self.device.efficiency, self.device
        state = self.num_trained * (2 * device.itemsize + 2 * _MASTER_BYTES) / self.num_owners
        exchanged = 2.0 * self.num_trained * device.itemsize * (self.settings.num_ranks > 1)
        gathered = 3.0 * self.shape.num_text * device.itemsize * (self.zero_stage == 3) * num_groups
        return {
            "features": num_groups * group.feature_bytes(self.shape, device.itemsize) / constants.read_rate,
            "passes": num_groups * (sum(self.group_s(group).values()) + constants.group_s),
            "optimizer": constants.optimizer_s + state / device.bandwidth,
            "exchange": (exchanged + gathered) / network,
        }

    def memory(self, group: GroupLoad, num_groups: int) -> dict[str, float]:
        """Returns the bytes on a rank's GPU at the peak of a step, by use."""
        itemsize, ranks = self.device.itemsize, self.settings.num_ranks
        whole = (self.shape.num_text + self.shape.num_tower) * itemsize
        masters = (_MASTER_BYTES + itemsize) * self.num_trained / self.num_owners
        fits = max(1, self.settings.max_tokens_per_micro_batch // group.num_tokens)
        packed = min(fits, max(1, num_groups))
        adapter = self.num_trained * itemsize if self.settings.method == "lora" else 0
        return {
            "weights": whole / (ranks if self.zero_stage == 3 else 1) + adapter,
            "gradients": self.num_trained * itemsize,
            "optimizer": masters,
            "activations": self._activations(group.num_tokens * packed, group.num_answer * packed),
            "context": CONTEXT + COLLECTIVES * (ranks > 1),
        }

    def _activations(self, num_tokens: int, num_answer: int) -> float:
        """Returns the bytes kept for the backward pass, and those of the logits of one chunk. With checkpointing, each
        layer's input is kept, and everything of one layer."""
        itemsize, shape = self.device.itemsize, self.shape
        layer = num_tokens * shape.layer_width * itemsize * self.device.efficiency.activation
        inputs = num_tokens * shape.num_layers * shape.hidden_size * itemsize
        logits = min(num_answer, _CHUNK) * shape.vocab_size * 4.0 * _LOGIT_COPIES
        return logits + (inputs + layer if self.settings.gradient_checkpointing else layer * shape.num_layers)


def tower_s(shape: ModelShape, device: Device, num_clip_tokens: int) -> float:
    """Returns the seconds in which the vision tower encodes a clip: four patches make one token."""
    return device.compute_s(2.0 * shape.num_tower * 4 * num_clip_tokens, device.efficiency.tower)


def total(parts: Mapping[str, float]) -> float:
    """Returns the sum of a table's values."""
    return sum(parts.values())
