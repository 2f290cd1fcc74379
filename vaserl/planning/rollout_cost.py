"""Seconds and memory of an engine: prompts are computed once for each group, then all completions are decoded."""

import math
from dataclasses import dataclass

from vaserl.planning.device import Device
from vaserl.planning.engine_args import engine_count, gpu_utilisation, num_shards
from vaserl.planning.load import GroupLoad
from vaserl.planning.model_shape import ModelShape
from vaserl.settings import RolloutSettings

_GRAPHS = 0.7 * 2**30
"""Bytes of CUDA graphs and of what vLLM holds beside weights, activations and cache."""
_SHARD_LATENCY_S = 15e-6
"""Seconds of one all-reduce of a few numbers between the shards of an engine; there are two in each layer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutCost:
    """The work of one engine, on one GPU or divided over several."""

    shape: ModelShape
    device: Device
    settings: RolloutSettings
    merges: bool
    """True if the engine keeps a copy of the base weights, into which adapters are merged."""

    @property
    def num_shards(self) -> int:
        """GPUs of the engine."""
        return num_shards(self.settings)

    def cache_bytes(self) -> float:
        """Returns the bytes that the engine has for keys and values, on all of its GPUs together."""
        utilisation = gpu_utilisation(self.settings)
        batched = engine_count(self.settings, "max_num_batched_tokens")
        sequences = engine_count(self.settings, "max_num_seqs")
        working = batched * self.shape.layer_width * self.device.itemsize / self.num_shards
        working += sequences * self.shape.vocab_size * 4.0 * 2
        weights = self.shape.num_text * self.device.itemsize / self.num_shards
        return self.num_shards * (utilisation * self.device.kind.memory - weights - working - _GRAPHS)

    def memory(self) -> dict[str, float]:
        """Returns the bytes on one of the engine's GPUs: vLLM takes its whole share, whatever it needs."""
        utilisation = gpu_utilisation(self.settings)
        weights = self.shape.num_text * self.device.itemsize / self.num_shards
        taken = utilisation * self.device.kind.memory
        cache = max(0.0, self.cache_bytes() / self.num_shards)
        copied = self.merges and self.settings.base_copy == "device"
        return {
            "engine weights": weights,
            "KV cache": cache,
            "engine rest": taken - weights - cache,
            "base copy": copied * self.shape.num_linear * self.device.itemsize,  # each shard keeps a whole one
        }

    def num_rounds(self, group: GroupLoad, num_groups: int) -> int:
        """Returns how many rounds of decoding follow each other, because sequences exceed max_num_seqs or the cache."""
        sequences = num_groups * len(group.branches)
        needed = num_groups * group.num_tokens * self.shape.kv_bytes(self.device.itemsize)
        limit = engine_count(self.settings, "max_num_seqs")
        by_cache = needed / self.cache_bytes() if self.cache_bytes() > 0 and self.device.efficiency.layer_s else 1.0
        return max(1, math.ceil(sequences / limit), math.ceil(by_cache))

    def step_s(self, group: GroupLoad, num_groups: int) -> dict[str, float]:
        """Returns the seconds in which the engine samples its share of a step, by part.

        A decoding step reads all weights and each sequence's keys and values: of the prompt, and of half of its
        completion on average.
        """
        device, constants, shards = self.device, self.device.efficiency, self.num_shards
        if not num_groups:
            return {"features": 0.0, "prefill": 0.0, "decode": 0.0, "requests": 0.0}
        rounds = self.num_rounds(group, num_groups)
        length = max(group.branches)
        sequences = num_groups * len(group.branches)
        cache = sequences * (group.num_prompt + length / 2) * self.shape.kv_bytes(device.itemsize)
        read = (rounds * (self.shape.num_linear + self.shape.num_head) * device.itemsize + cache) / shards
        exchange = 2 * self.shape.num_layers * _SHARD_LATENCY_S * (shards > 1)
        return {
            "features": num_groups * group.feature_bytes(self.shape, device.itemsize) / constants.read_rate,
            "prefill": num_groups * self._prompt_s(group) / shards,
            "decode": length * (read / device.bandwidth + rounds * (constants.decode_s + exchange)),
            "requests": num_groups * constants.request_s,
        }

    def _prompt_s(self, group: GroupLoad) -> float:
        constants, prompt = self.device.efficiency, group.num_prompt
        products = 2.0 * self.shape.num_linear * prompt
        scores = 2.0 * prompt * (prompt + 1) * self.shape.hidden_size * self.shape.num_layers
        return self.device.compute_s(products, constants.matmul) + self.device.compute_s(scores, constants.attention)

    def publish_s(self, num_trained: int, network: float, *, is_lora: bool) -> float:
        """Returns the seconds from the optimizer's step until the engine serves the weights. network: bytes per second
        from the learner to the engine."""
        sent = num_trained * self.device.itemsize / network
        if is_lora:
            return 7 * self.shape.num_layers * self.device.efficiency.matrix_s + sent
        return self.device.efficiency.full_publish_s + sent
