"""One rank (process) of the learner's policy: loads it, joins the other ranks, and publishes its weights."""

import dataclasses
import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed
from torch._inductor import config as inductor

from actors.encoder import FeatureReader
from actors.engine import TensorPlace, TransferSender
from vaserl.dataset import DataSet
from vaserl.policy.adapter import (
    ADAPTER_TENSORS,
    AdapterWriter,
    adapter_tensors,
    add_frozen_copy,
    add_lora,
    merge_adapter,
)
from vaserl.policy.fingerprint import probe_ids, probe_layout
from vaserl.policy.optimizer import decay_groups
from vaserl.policy.pixel_cache import PixelCache
from vaserl.policy.policy import Policy, load_model, replace_weights
from vaserl.policy.prompter import Prompter
from vaserl.policy.readback import published_columns
from vaserl.policy.start import load_start, read_start
from vaserl.policy.tensor_file import FileContent, TensorFile, read_tensors
from vaserl.policy.weights import MODEL_TENSORS, make_weights
from vaserl.runs.clock import Clock
from vaserl.settings import DataSettings, LearnerSettings, ModelSettings, StartSettings
from vaserl.types import Fingerprint, Weights

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class PolicyRank:
    """One rank's part of the policy and its DeepSpeed engine, and what is sent or written of them."""

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
        self._prompter = Prompter(model.path, data.system)
        # pixels if the vision tower is trained or the feature store is off, else the tower's stored output
        self._videos = features or PixelCache(DataSet.of_settings(data).clips, self._prompter, data.num_frames)
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
