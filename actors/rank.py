"""One DeepSpeed rank (process) of the learner: an ordinary class, which `actors.learner` makes an actor."""

import dataclasses
import math
import os
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed
from torch._inductor import config as inductor

from actors.encoder import FeatureReader
from actors.engine import TensorPlace, TransferSender
from actors.fragments import (
    Fragment,
    inner_optimizer,
    is_replicated,
    local_fragments,
    refresh_parameters,
)
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
from vaserl.dataset import DataSet
from vaserl.files.durable import write_durably
from vaserl.files.storage import joined
from vaserl.grpo.loss import policy_loss
from vaserl.grpo.loss_fault import loss_fault
from vaserl.policy.adapter import (
    ADAPTER_TENSORS,
    AdapterWriter,
    active_adapter,
    adapter_tensors,
    add_frozen_copy,
    add_lora,
    merge_adapter,
)
from vaserl.policy.clips import ClipInput, ClipView
from vaserl.policy.fingerprint import probe_ids, probe_layout
from vaserl.policy.groups import PrefixGroup, demonstration_group, samples_group
from vaserl.policy.layout import Layout, micro_batches, shared_prefix_layout
from vaserl.policy.optimizer import decay_groups, learning_rate
from vaserl.policy.pixel_cache import PixelCache
from vaserl.policy.policy import Policy, load_model, replace_weights
from vaserl.policy.positions import VideoGrid
from vaserl.policy.prompter import Prompter
from vaserl.policy.readback import published_columns
from vaserl.policy.start import load_start, read_start
from vaserl.policy.tensor_file import FileContent, TensorFile, read_tensors
from vaserl.policy.weights import MODEL_TENSORS, make_weights
from vaserl.runs.checkpoint.manifest import StoredFile
from vaserl.runs.clock import Clock
from vaserl.settings import DataSettings, LearnerSettings, LossSettings, ModelSettings, StartSettings
from vaserl.types import Batch, Demonstration, Fingerprint, PromptSamples, Weights

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
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


class LearnerRank:
    """One rank of the learner, with the policy and its optimizer; processes its share of every step."""

    def __init__(
        self,
        model: ModelSettings,
        data: DataSettings,
        learner: LearnerSettings,
        features: FeatureReader | None = None,
        *,
        rank: int,
        seed: int,
        num_steps: int,
        start: StartSettings | None = None,
    ):
        self._learner, self._rank, self._num_steps = learner, rank, num_steps
        self._num_ranks = learner.num_ranks
        torch.manual_seed(seed)
        # checkpoints contain these states too, and shall not depend on the process
        random.seed(seed)
        np.random.seed(seed % 2**32)
        torch.set_num_threads(learner.num_threads)
        self._prompter = Prompter(model.path)
        # pixels if the vision tower is trained or the feature store is off, else the tower's stored output
        self._videos = features or PixelCache(DataSet(data.path).clips, self._prompter, data.num_frames)
        hf_model = load_model(model.path, _DTYPES[model.dtype])
        hf_model.config.use_cache = False
        if learner.gradient_checkpointing:
            hf_model.gradient_checkpointing_enable({"use_reentrant": False})
            hf_model.enable_input_require_grads()
        self._peft: Any = None
        if learner.method == "lora":
            self._peft = add_lora(
                hf_model,
                rank=learner.lora.rank,
                alpha=learner.lora.alpha,
                target_modules=learner.lora.target_modules,
            )
        else:
            hf_model.model.visual.requires_grad_(learner.train_vision)
        self._reference_adapter = ""
        if start is not None and start.weights is not None:
            self._begin_with(start, start.weights, hf_model)
        if learner.compile:
            _round_as_eager()
            for layer in hf_model.model.language_model.layers:
                layer.compile(dynamic=True)
        self._policy = Policy(hf_model)
        self._folder = model.path
        self._adapter: AdapterWriter | None = None
        self._model_file = TensorFile()
        self._state_file = TensorFile()
        self._state: np.ndarray | None = None
        self._restored: RestoredState | None = None
        self._fault = ""

    def _begin_with(self, start: StartSettings, folder: Path, hf_model: Any) -> None:
        """Loads the weights of another run, and keeps a copy of its adapter if that is the KL term's reference."""
        files = read_start(folder, self._learner)
        if self._peft is None:
            parameters = dict(hf_model.named_parameters())
            frozen = [name for name, parameter in parameters.items() if not parameter.requires_grad]
            load_start(parameters, files[MODEL_TENSORS], folder / MODEL_TENSORS, frozen=frozen)
            return
        load_start(adapter_tensors(self._peft), files[ADAPTER_TENSORS], folder / ADAPTER_TENSORS)
        if start.reference == "start":
            self._reference_adapter = "reference"
            add_frozen_copy(self._peft, self._reference_adapter)

    def join(self, address: str, port: int) -> int:
        """Connects to the other ranks, builds the DeepSpeed engine and returns the number of trained parameters.

        address, port: address and port on which rank 0 listens.
        """
        if self._learner.compile:
            _round_as_eager()  # again: Ray ran the constructor in another thread
        is_gpu = self._learner.num_gpus > 0
        os.environ.update(
            RANK=str(self._rank),
            WORLD_SIZE=str(self._num_ranks),
            LOCAL_RANK="0",
            LOCAL_SIZE=str(self._num_ranks),
            MASTER_ADDR=address,
            MASTER_PORT=str(port),
        )
        import deepspeed

        # DeepSpeed compiles its own CPU all-reduce at the first start. A process killed meanwhile leaves a lock on
        # which later runs hang, and the op leaves 67 MB in /dev/shm for each rank; gloo does the same work.
        deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
        deepspeed.init_distributed(dist_backend="nccl" if is_gpu else "gloo", verbose=False)
        trained = [p for p in self._policy.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(
            decay_groups(trained, self._learner.weight_decay),
            lr=self._learner.learning_rate,
            betas=self._learner.betas,
        )
        config = {
            **self._learner.deepspeed,
            "train_micro_batch_size_per_gpu": 1,
            "gradient_accumulation_steps": 1,
            "gradient_clipping": self._learner.max_grad_norm,
            "zero_allow_untested_optimizer": True,
            "bf16": {"enabled": next(self._policy.parameters()).dtype == torch.bfloat16},
            "steps_per_print": 10**9,
        }
        # DeepSpeed accepts a list of parameters, which its annotations do not admit
        parameters: Any = trained
        engine: Any
        engine, *_ = deepspeed.initialize(
            model=self._policy, model_parameters=parameters, optimizer=optimizer, config=config
        )
        self._engine = engine
        return sum(getattr(p, "ds_numel", p.numel()) for p in trained)

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

    def weights(self, version: int) -> Weights | None:
        """Returns the adapter or the whole model on rank 0, None on the other ranks. All ranks must call it
        together."""
        clock = Clock()
        files = self._files()
        clock.lap("gather")
        fingerprint = self.fingerprint()
        clock.lap("fingerprint")
        if self._rank != 0:
            return None
        weights = make_weights(version, files, fingerprint)
        clock.lap("digest")
        return dataclasses.replace(weights, seconds=clock.seconds)

    @torch.no_grad()
    def fingerprint(self) -> Fingerprint:
        """Returns the policy's log-probabilities of a fixed probe text. All ranks must call it together."""
        token_ids = probe_ids(lambda text: self._prompter.tokenizer(text, add_special_tokens=False)["input_ids"])
        logprobs, _ = self._engine([], probe_layout(token_ids), 1.0)
        return Fingerprint(token_ids=token_ids, logprobs=tuple(logprobs.tolist()))

    def manifest(self) -> tuple[TensorPlace, ...]:
        """Returns name, type and shape of all trained parameters, in the order in which `send` sends them."""
        return tuple(
            TensorPlace(
                name=name,
                dtype=str(parameter.dtype).removeprefix("torch."),
                shape=tuple(getattr(parameter, "ds_shape", parameter.shape)),
            )
            for name, parameter in self._trained()
        )

    def open_transfer(self, address: str, port: int, num_ranks: int) -> None:
        """Opens, as member 0, the NCCL group in which trained parameters are sent to the engines.

        num_ranks: number of members: this rank and all shards of the engines.
        """
        self._transfer = TransferSender(address, port, num_ranks)

    def send(self) -> None:
        """Sends the trained parameters to the engines. All ranks must call it together: under ZeRO 3 each rank holds a
        part of every parameter, which rank 0 gathers and sends."""
        import deepspeed

        for _, parameter in self._trained():
            with deepspeed.zero.GatheredParameters([parameter], enabled=self._is_zero_3()):
                if self._rank == 0:
                    self._transfer.send(parameter.detach())
        torch.cuda.synchronize()

    @torch.no_grad()
    def columns(self, version: int) -> dict[str, np.ndarray]:
        """Returns the columns of each trained weight, [rows, columns] float32, that are compared with what the engines
        serve as this version; {} on the other ranks than rank 0. All ranks must call it together."""
        import deepspeed

        columns: dict[str, np.ndarray] = {}
        for name, parameter in self._trained():
            with deepspeed.zero.GatheredParameters([parameter], enabled=self._is_zero_3()):
                if self._rank == 0:
                    (chosen,) = published_columns({name: parameter.detach()}, version).values()
                    columns[name] = chosen.float().cpu().numpy()
        return columns

    def save(self, folder: Path) -> None:
        """Writes the policy as a complete Hugging Face folder, with an adapter merged into the base model.

        All ranks must call it together; rank 0 writes.
        """
        files = self._files()
        if self._rank != 0:
            return
        from transformers import AutoProcessor

        model = load_model(self._folder, next(self._policy.parameters()).dtype)
        if self._peft is not None:
            model = merge_adapter(model, files)
        else:
            replace_weights(model, read_tensors(files[MODEL_TENSORS]))
        model.save_pretrained(folder)
        AutoProcessor.from_pretrained(self._folder).save_pretrained(folder)

    def snapshot(self) -> None:
        """Copies this rank's training state to a host buffer, which the next call overwrites."""
        fragments = [] if is_replicated(self._engine) and self._rank > 0 else self._fragments()
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

    def _files(self) -> dict[str, FileContent]:
        """Returns the files of the adapter or the whole model on rank 0, {} on the other ranks. All ranks must call it
        together."""
        import deepspeed

        published = self._trained() if self._peft is not None else self._named_parameters()
        with deepspeed.zero.GatheredParameters([p for _, p in published], enabled=self._is_zero_3()):
            if self._rank != 0:
                return {}
            if self._peft is not None:
                self._adapter = self._adapter or AdapterWriter(self._peft)
                return self._adapter.files()
            return {MODEL_TENSORS: self._model_file.fill(dict(published))}

    def _trained(self) -> list[tuple[str, torch.nn.Parameter]]:
        return [(name, parameter) for name, parameter in self._named_parameters() if parameter.requires_grad]

    def _named_parameters(self) -> list[tuple[str, torch.nn.Parameter]]:
        """Returns (name, parameter) of all parameters, with their names in the Hugging Face model."""
        return [(name.removeprefix("model."), parameter) for name, parameter in self._policy.named_parameters()]

    def _is_zero_3(self) -> bool:
        return self._engine.zero_optimization_stage() == 3


def _round_as_eager() -> None:
    """Lets layers that this thread compiles round intermediate values as uncompiled ones do; other threads need a call
    of their own.

    Otherwise fused layers would not round the adapter's addition to bfloat16 as the engine does: small updates would
    change the learner's outputs but not the engine's, and the two would drift apart.
    """
    inductor.emulate_precision_casts = True
