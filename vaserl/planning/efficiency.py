"""Constants of the cost model: which part of a device's stated rates the program reaches.

Those for GPUs were fitted to measurements on one H200 (docs/benchmarks: step_h200_7b, step_h200_7b_compiled,
step_h200_7b_checkpoints, rollout_h200_7b, learner_h200_7b, learner_h200_7b_256) and are taken to hold for other GPUs;
step_h200_3b, learner_h200_3b and plan_h200_* were left out of the fit. `prepare_s` was fitted to the supervised steps
of road_h200_7b. Those for CPUs were fitted to learner_cpu_tiny and to the
rollout of overlap_cpu. docs/planning.md states the errors.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Efficiency:
    """Shares of a device's rates, and durations that don't depend on sizes."""

    matmul: float
    """Share of the stated operations per second that products with weights reach."""
    attention: float
    """The same for attention, with the shared prefix's keys copied for each branch."""
    head: float
    """The same for the projection to the vocabulary, with softmax and entropy."""
    tower: float
    """The same for the vision tower, with decoding and resizing of the clip."""
    prepare_s: float
    """Seconds in which an encoder decodes and resizes a clip and stores its features, for each of the clip's tokens."""
    bandwidth: float
    """Share of the stated bandwidth that decoding and element-wise operations reach."""
    passes_forward: float
    """How often a forward pass reads or writes each of a layer's values in operations that are not products, among
    them those of the adapter."""
    passes_backward: float
    compiled: float
    """Factor of both with learner.compile."""
    layer_s: float
    """Seconds in which the device waits for the host, for each layer and pass."""
    decode_s: float
    """Seconds of a decoding step beyond reading: sampler, scheduler and gaps."""
    read_rate: float
    """Bytes of stored features that a process reads and checks in a second."""
    request_s: float
    """Seconds in which an engine accepts a task and returns its completions."""
    group_s: float
    """Seconds in which the learner lays out a group."""
    optimizer_s: float
    """Seconds of an optimizer step on an adapter."""
    matrix_s: float
    """Seconds of a publication for each adapted matrix: gathering, merging, reading back and comparing."""
    full_publish_s: float
    """Seconds of a publication that don't depend on the model's size."""
    activation: float
    """Bytes kept for the backward pass, as a share of all values that a layer computes in the model's precision."""


GPU = Efficiency(
    matmul=0.78,
    attention=0.20,
    head=0.32,
    tower=0.053,
    prepare_s=0.00012,
    bandwidth=0.80,
    passes_forward=9.7,
    passes_backward=19.4,
    compiled=0.44,
    layer_s=0.00026,
    decode_s=0.0016,
    read_rate=0.92e9,
    request_s=0.022,
    group_s=0.0035,
    optimizer_s=0.06,
    matrix_s=0.0036,
    full_publish_s=0.2,
    activation=1.45,
)
CPU = Efficiency(
    matmul=0.38,
    attention=0.38,
    head=0.38,
    tower=0.47,
    prepare_s=0.0,
    bandwidth=0.5,
    passes_forward=0.0,
    passes_backward=0.0,
    compiled=1.0,
    layer_s=0.0,
    decode_s=0.009,
    read_rate=0.92e9,
    request_s=0.003,
    group_s=0.002,
    optimizer_s=0.02,
    matrix_s=0.002,
    full_publish_s=0.02,
    activation=1.45,
)
ON_SHARED_GPU = 0.94
"""Duration of a step with loop = "ahead" whose halves share their GPUs, as a share of both halves in sequence: two
processes use a GPU in turns, so only the time in which it idles is won (7B, one H200: 10.9 s instead of 11.66)."""
CONTEXT = 0.6 * 2**30
"""Bytes of a process's CUDA context on its GPU."""
COLLECTIVES = 1.0 * 2**30
"""Bytes of NCCL's buffers on a GPU of a learner with several ranks; an estimate, which was not measured."""
USABLE = 0.97
"""Share of a GPU's memory that can be used before fragmentation makes an allocation fail."""
