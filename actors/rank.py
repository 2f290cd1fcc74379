"""One DeepSpeed rank (process) of the learner: an ordinary class, which `actors.learner` makes an actor."""

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed

from actors.fragments import (
    Fragment,
    inner_optimizer,
    is_replicated,
    local_fragments,
    refresh_parameters,
)
from actors.policy_rank import PolicyRank
from actors.rank_state import (
    ReadableFiles,
    RestoredState,
    read_state,
    set_rng,
    state_file,
    state_tensors,
    write_masters,
    write_moments,
)
from vaserl.files.durable import write_durably
from vaserl.files.storage import joined
from vaserl.grpo.loss import policy_loss
from vaserl.grpo.loss_fault import loss_fault
from vaserl.policy.adapter import active_adapter
from vaserl.policy.clips import ClipInput, ClipView
from vaserl.policy.groups import PrefixGroup, demonstration_group, samples_group
from vaserl.policy.layout import Layout, micro_batches, shared_prefix_layout
from vaserl.policy.optimizer import learning_rate
from vaserl.policy.positions import VideoGrid
from vaserl.policy.tensor_file import TensorFile
from vaserl.runs.checkpoint.manifest import StoredFile
from vaserl.runs.clock import Clock
from vaserl.settings import LossSettings
from vaserl.types import Batch, Demonstration, PromptSamples

Item = TypeVar("Item", PromptSamples, Demonstration)

Sums = dict[str, float]
"""Sums of metrics over a rank's tokens, by name; the driver adds those of all ranks and divides them by the number of
tokens."""

SECONDS = "seconds/"
"""Prefix of those names in `Sums` whose values are durations in seconds instead of sums."""

LossOf = Callable[[torch.Tensor, torch.Tensor, list[Any], Sequence[ClipInput], Layout], tuple[torch.Tensor, Sums]]

LOGPROBS = "log-probabilities"

NONFINITE = "nonfinite"
"""Name in `Sums` of the flag that is 1 for a step that was not applied, because a loss or the gradient was NaN or
infinite."""


class LearnerRank(PolicyRank):
    """One rank of the learner, with the policy and its optimizer; processes its share of every step."""

    _fault = ""
    _state_file: TensorFile | None = None
    _state: np.ndarray | None = None
    _restored: RestoredState | None = None

    def learn(self, batch: Batch, loss: LossSettings, temperature: float) -> Sums:
        """Processes this rank's share of a GRPO step.

        Returns sums over the share's tokens, and the values "grad_norm" and "learning_rate".

        temperature: sampling temperature of the batch, at which log-probabilities are computed.
        """

        def group_of(samples: PromptSamples, grid: VideoGrid) -> PrefixGroup:
            return samples_group(samples, grid, self._prompter.video_token_id)

        def loss_of(logprobs, entropy, items, videos, layout) -> tuple[torch.Tensor, Sums]:
            samples = [sample for item in items for sample in item.samples]
            sampled = torch.tensor([logprob for sample in samples for logprob in sample.logprobs])
            advantages = [sample.advantage for sample in samples]
            reference = self._reference(videos, layout, temperature) if loss.beta > 0 else None
            result = policy_loss(
                logprobs,
                sampled.to(logprobs.device),
                torch.tensor(advantages).to(logprobs.device),
                reference,
                layout.branch_lengths,
                loss=loss,
                num_tokens=batch.num_loss_tokens,
                num_sequences=batch.num_sequences,
            )
            value = float(result.loss.detach())
            if not math.isfinite(value):
                parts = {LOGPROBS: logprobs} | ({} if reference is None else {f"reference {LOGPROBS}": reference})
                self._fault = self._fault or loss_fault(value, parts, advantages)
            return result.loss, {
                "tokens": float(len(logprobs)),
                "loss": value,
                "entropy": float(entropy.sum()),
                **result.sums,
            }

        clip_of = {id(item): (item.clip, 0, (0, 0)) for item in batch.groups}
        return self._step(batch.step, batch.groups, group_of, clip_of, loss_of, temperature)

    def imitate(self, step: int, demonstrations: Sequence[Demonstration], num_loss_tokens: int) -> Sums:
        """Processes this rank's share of a supervised step, and returns sums over the share's tokens.

        The loss is the mean negative log-likelihood of the answer tokens. num_loss_tokens: number of answer tokens of
        all ranks.
        """

        def group_of(item: Demonstration, grid: VideoGrid) -> PrefixGroup:
            return demonstration_group(item, grid, self._prompter)

        def loss_of(logprobs, entropy, items, videos, layout) -> tuple[torch.Tensor, Sums]:
            loss = -logprobs.sum() / num_loss_tokens
            value = float(loss.detach())
            if not math.isfinite(value):
                self._fault = self._fault or loss_fault(value, {LOGPROBS: logprobs})
            return loss, {
                "tokens": float(len(logprobs)),
                "loss": value,
                "entropy": float(entropy.sum()),
            }

        clip_of = {id(item): (item.clip, item.rotation, item.shift) for item in demonstrations}
        return self._step(step, demonstrations, group_of, clip_of, loss_of, 1.0)

    def count_answer_tokens(self, demonstrations: Sequence[Demonstration]) -> int:
        """Returns the number of answer tokens in the demonstrations of a supervised step, the denominator of its
        loss."""
        return sum(len(self._prompter.answer_ids(answer)) for item in demonstrations for _, answer in item.turns)

    def _step(
        self,
        step: int,
        items: Sequence[Item],
        group_of: Callable[[Item, VideoGrid], PrefixGroup],
        clip_of: dict[int, ClipView],
        loss_of: LossOf,
        temperature: float,
    ) -> Sums:
        """Runs forward and backward passes over this rank's items in micro-batches, then one optimizer step.

        Returns sums over this rank's tokens. items: items of all ranks. group_of: function that returns an item's
        tokens. clip_of: view of each item's clip, by `id(item)`. loss_of: function that returns loss and sums of a
        micro-batch.

        All ranks run the same number of micro-batches, that of the rank with the most; surplus ones have weight 0. If
        one rank skipped a collective operation, the others would hang.

        If a loss or the norm of the gradient is NaN or infinite, no rank changes its weights or its optimizer's state;
        the sum "nonfinite" is then 1 on all ranks, and `fault` returns the cause on those whose loss it was.
        """
        self._fault = ""
        clock = Clock(wait=self._wait)
        share = items[self._rank :: self._num_ranks]
        videos = self._videos.get_all([clip_of[id(item)] for item in share])
        groups = [group_of(item, video.grid) for item, video in zip(share, videos, strict=True)]
        clock.lap("features")
        cuts = micro_batches([group.num_tokens for group in groups], self._learner.max_tokens_per_micro_batch)
        num_micro_batches = self._largest(len(cuts))
        rate = learning_rate(
            step,
            peak=self._learner.learning_rate,
            warmup_steps=self._learner.warmup_steps,
            num_steps=self._num_steps,
            cosine=self._learner.schedule == "cosine",
        )
        for group in self._engine.optimizer.param_groups:
            group["lr"] = rate
        self._policy.train()
        sums: Sums = {}
        for index in range(num_micro_batches):
            is_surplus = index >= len(cuts)
            members = [items[0]] if is_surplus else [share[i] for i in cuts[index]]
            shown = self._videos.get_all([clip_of[id(items[0])]]) if is_surplus else [videos[i] for i in cuts[index]]
            laid_out = [group_of(items[0], shown[0].grid)] if is_surplus else [groups[i] for i in cuts[index]]
            layout = shared_prefix_layout(laid_out)
            clock.lap("layout")
            logprobs, entropy = self._engine(shown, layout, temperature)
            loss, parts = loss_of(logprobs, entropy, members, shown, layout)
            # DeepSpeed averages the gradients over ranks, but the loss is divided by the tokens of all ranks already
            weight = 0.0 if is_surplus else float(self._num_ranks)
            if not math.isfinite(parts["loss"]):
                # Clamps in the loss can hide its NaN from the gradient; this sum hides nothing. The gradient becomes
                # NaN here and, as it is averaged, on every rank, so all discard the step without another collective.
                loss, weight = logprobs.sum(), math.nan
            clock.lap("forward")
            self._engine.set_gradient_accumulation_boundary(index == num_micro_batches - 1)
            self._engine.backward(loss * weight)
            clock.lap("backward")
            if not is_surplus:
                for name, value in parts.items():
                    sums[name] = sums.get(name, 0.0) + value
        norm = self._optimize()
        clock.lap("optimizer")
        sums["grad_norm"] = norm
        sums["learning_rate"] = rate
        sums[NONFINITE] = 0.0 if math.isfinite(norm) else 1.0
        return sums | {f"{SECONDS}{name}": seconds for name, seconds in clock.seconds.items()}

    def fault(self) -> str:
        """Returns what made a loss NaN or infinite in this rank's share of the last step; empty if its losses were
        finite."""
        return self._fault

    def _optimize(self) -> float:
        """Takes an optimizer step, unless the norm of the gradient is NaN or infinite. Returns the norm before it is
        limited, which is the same on all ranks; `inf` or `nan` if no step was taken.

        DeepSpeed discards such a step in all of its optimizers: ZeRO 1 to 3, with float32 or bfloat16, and stage 0 with
        bfloat16. Each computes the norm over all ranks and returns before it changes anything. Only in stage 0 with
        float32 is the optimizer torch's own, which takes every step and has no norm.
        """
        if self._engine.optimizer is not self._engine.basic_optimizer:
            self._engine.step()
            return float(self._engine.get_global_grad_norm())
        # the gradients are averaged over the ranks already, so all ranks compute the same norm
        norm = float(torch.nn.utils.get_total_norm([p.grad for p in self._policy.parameters() if p.grad is not None]))
        if math.isfinite(norm):
            self._engine.step()
        else:
            self._engine.zero_grad()
        return norm

    def _wait(self) -> None:
        """Waits until the GPU has finished the operations queued so far, so that measured durations include these
        operations."""
        if self._policy.model.device.type == "cuda":
            torch.cuda.synchronize()

    def _largest(self, count: int) -> int:
        """Returns the largest `count` among all ranks."""
        counts = torch.tensor(count, device=self._policy.model.device)
        torch.distributed.all_reduce(counts, op=torch.distributed.ReduceOp.MAX)
        return int(counts)

    @torch.no_grad()
    def _reference(self, videos: Sequence[ClipInput], layout: Layout, temperature: float) -> torch.Tensor:
        """Returns the log-probability of each of the N trained tokens under the base model (adapter disabled), or under
        the policy that the run began with, [N].

        Full fine-tuning keeps no base model, so the settings allow `loss.beta` with an adapter only.
        """
        assert self._peft is not None
        name = self._reference_adapter
        with active_adapter(self._peft, name) if name else self._peft.disable_adapter():
            return self._engine(videos, layout, temperature)[0]

    def snapshot(self) -> None:
        """Copies this rank's training state to a host buffer, which the next call overwrites."""
        fragments = [] if is_replicated(self._engine) and self._rank > 0 else self._fragments()
        self._state_file = self._state_file or TensorFile()
        self._state = self._state_file.fill(state_tensors(fragments, inner_optimizer(self._engine), self._shapes()))

    def write_snapshot(self, place: str) -> tuple[str, StoredFile]:
        """Writes the state that `snapshot` copied into a file below `place`, a folder or URL.

        Touches nothing else of the rank, so it may run in another thread while the rank learns.

        Returns: the file's name, and its size and digest.
        """
        if self._state is None:
            raise RuntimeError("write_snapshot needs a snapshot")
        name = state_file(self._rank, self._num_ranks)
        write_durably(joined(place, name), self._state)
        return name, StoredFile.describing(self._state)

    def read_state(self, checkpoint: ReadableFiles) -> None:
        """Reads this rank's part of a checkpoint's training state and checks it, without changing the learner.

        Raises: UserError when the state is damaged or does not fit this learner.
        """
        self._restored = read_state(
            checkpoint, self._fragments(), self._shapes(), rank=self._rank, num_ranks=self._num_ranks
        )

    def apply_state(self) -> None:
        """Continues from the state that `read_state` read. All ranks must call it together."""
        assert self._restored is not None
        write_masters(self._restored)
        refresh_parameters(self._engine)
        write_moments(self._restored, inner_optimizer(self._engine))
        set_rng(self._restored.rng)
        self._restored = None

    def apply_moments(self) -> None:
        """Takes over AdamW's moments of the state that `read_state` read, and nothing else of it."""
        assert self._restored is not None
        write_moments(self._restored, inner_optimizer(self._engine))
        self._restored = None

    def _fragments(self) -> list[Fragment]:
        return local_fragments(self._engine, self._trained(), self._rank)

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        return {name: tuple(getattr(p, "ds_shape", p.shape)) for name, p in self._trained()}
