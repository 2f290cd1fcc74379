"""Wrapper around vLLM; all code that depends on vLLM's version is in this file and in `actors.readback`.

Works with vLLM 0.26 (the newest version for torch 2.11) to 0.32.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import torch

from actors.readback import base_of, compare_adapter, compare_columns, compare_merged
from vaserl.errors import UserError
from vaserl.files.clip import Clip
from vaserl.policy.clips import ClipFeatures
from vaserl.policy.merge import read_factors
from vaserl.policy.prompter import video_metadata
from vaserl.policy.tensor_file import FileContent, read_tensors
from vaserl.settings.rollout import DEFAULT_MAX_MODEL_LEN
from vaserl.types import FinishReason

CPU_ENVIRONMENT = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # the engine lives in the actor's own process
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_NO_USAGE_STATS": "1",
    "CUDA_VISIBLE_DEVICES": "",
}
GPU_ENVIRONMENT = {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "VLLM_LOGGING_LEVEL": "WARNING", "VLLM_NO_USAGE_STATS": "1"}


def engine_environment(num_gpus: float, num_threads: int) -> dict[str, str]:
    """Returns the environment variables of a process that runs an engine, to be set before vLLM is imported."""
    threads = {"OMP_NUM_THREADS": str(num_threads)}
    return {**GPU_ENVIRONMENT, **threads} if num_gpus else {**CPU_ENVIRONMENT, **threads}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One prompt with its video (clip)."""

    text: str
    """Prompt after the chat template, with a single video placeholder."""
    video: Clip | ClipFeatures
    """Frames of the video. If the engine gets features: the output of the vision tower for these frames."""
    video_hash: str
    """Key of the video in the engine's caches: a video whose key is cached is neither hashed nor processed again."""
    seed: int
    """Seed of the sampling of this prompt's completions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOutput:
    """One sampled completion, without its text: the rollout worker decodes the token ids."""

    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    finish_reason: FinishReason


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorPlace:
    """Name, type and shape of one tensor that is sent from the learner's GPU to the engines'."""

    name: str
    """Name of the tensor in the Hugging Face model."""
    dtype: str
    """Name of the element type: "bfloat16", …"""
    shape: tuple[int, ...]
    """Shape of the whole tensor, however the learner shards it."""


class TransferSender:
    """Sender of tensors from the learner's GPU to the engines': member 0 of an NCCL group whose other members are the
    engines' shards."""

    def __init__(self, address: str, port: int, num_ranks: int):
        """Blocks until all `num_ranks` members have joined the group."""
        from vllm.distributed.weight_transfer.nccl_common import trainer_init

        group = {"master_address": address, "master_port": port, "world_size": num_ranks}
        self._group = trainer_init(group)

    def send(self, tensor: Any) -> None:
        """Broadcasts one tensor on the current CUDA stream. Tensors must be sent in the order of the manifest that is
        passed to `Engine.receive`."""
        import torch

        self._group.broadcast(tensor.contiguous(), src=0, stream=torch.cuda.current_stream())


def served_lora_rank(rank: int) -> int:
    """Returns the smallest of vLLM's maximum adapter ranks that is at least `rank`. vLLM pads adapters of a lower rank
    with zeros.

    Raises: UserError when vLLM serves no adapter of this rank.
    """
    from vllm.config.lora import MaxLoRARanks

    larger = [limit for limit in sorted(get_args(MaxLoRARanks)) if limit >= rank]
    if not larger:
        raise UserError(
            f"learner.lora.rank = {rank}: vLLM serves adapters of rank {max(get_args(MaxLoRARanks))} at most. Lower "
            'the rank, or set rollout.publish = "merge"'
        )
    return larger[0]


class Engine:
    """A vLLM instance. It serves the base model, an adapter on the base model, or new weights in place of the base
    model's."""

    def __init__(
        self,
        model: Path,
        *,
        dtype: str,
        max_lora_rank: int | None,
        takes_transfers: bool,
        eos_token_id: int,
        takes_features: bool,
        engine_args: dict[str, Any],
    ):
        """max_lora_rank: rank of the adapters, None if no adapters are served. takes_transfers: True if new
        weights arrive by NCCL. takes_features: True if requests contain the vision tower's output instead of frames;
        the engine then has no vision tower."""
        from vllm import LLM

        lora: dict[str, Any] = {}
        if max_lora_rank is not None:
            max_lora_rank = served_lora_rank(max_lora_rank)
            # one adapter is served at a time; two are in memory while one replaces the other
            lora = {"enable_lora": True, "max_lora_rank": max_lora_rank, "max_loras": 1, "max_cpu_loras": 2}
        transfer = {"weight_transfer_config": {"backend": "nccl"}} if takes_transfers else {}
        defaults: dict[str, Any] = {
            "max_model_len": DEFAULT_MAX_MODEL_LEN,
            # with a limit of 0 videos vLLM does not load the vision tower, and still accepts features
            "limit_mm_per_prompt": {"image": 0, "video": 0 if takes_features else 1},
            "enable_mm_embeds": takes_features,
        }
        if engine_args.get("tensor_parallel_size", 1) > 1 or engine_args.get("pipeline_parallel_size", 1) > 1:
            # inside a placement group vLLM would start its shards as actors of Ray, which it refuses for a bundle of
            # several GPUs; as processes of this actor they use the GPUs that the bundle reserves
            defaults["distributed_executor_backend"] = "mp"
        if not os.environ.get("CUDA_VISIBLE_DEVICES"):
            # with a chunked prompt vLLM must undo a draw of the seeded generator, which CPU generators don't support
            defaults |= {"enforce_eager": True, "enable_chunked_prefill": False}
        self._llm = LLM(
            model=str(model),
            dtype=dtype,  # pyright: ignore[reportArgumentType]
            seed=0,
            logprobs_mode="processed_logprobs",  # at the sampling temperature, as the learner computes them
            **lora,
            **transfer,
            **{**defaults, **engine_args},
        )
        self._model = model
        self._eos_token_id = eos_token_id
        self._lora_request: Any = None

    def generate(
        self, requests: Sequence[Request], *, num_samples: int, temperature: float, max_new_tokens: int
    ) -> list[tuple[tuple[int, ...], list[EngineOutput]]]:
        """Returns, for each request, the token ids of its prompt (video placeholders expanded) and `num_samples`
        outputs.

        Temperature 0 is greedy decoding. top_p and top_k are off, because they would bias the importance ratio.
        """
        from vllm import SamplingParams

        prompts: list[Any] = [
            {
                "prompt": request.text,
                "multi_modal_data": {"video": _video(request.video)},
                "multi_modal_uuids": {"video": [request.video_hash]},
            }
            for request in requests
        ]
        params = [
            SamplingParams(
                n=num_samples,
                temperature=temperature,
                top_p=1.0,
                top_k=-1,
                max_tokens=max_new_tokens,
                logprobs=0,  # returns the sampled token's only
                seed=request.seed,
                stop_token_ids=[self._eos_token_id],
                detokenize=False,
            )
            for request in requests
        ]
        if num_samples > 1 and self._llm.llm_engine.vllm_config.cache_config.enable_prefix_caching:
            # Samples of one prompt that are scheduled in the same engine step don't find each other's prefix in the
            # cache and compute it again, six times for prompts of 3,000 tokens. Generating one token of each prompt
            # first puts the prefix into the cache for all samples.
            once = SamplingParams(max_tokens=1, temperature=0.0, detokenize=False)
            self._llm.generate(prompts, once, use_tqdm=False, lora_request=self._lora_request)
        outputs = self._llm.generate(prompts, params, use_tqdm=False, lora_request=self._lora_request)
        return [(tuple(o.prompt_token_ids or ()), [_read(c) for c in o.outputs]) for o in outputs]

    def load_adapter(self, version: int, folder: Path) -> None:
        """Loads a LoRA adapter, which the engine serves from now on in place of the previous one.

        The version is the adapter's id in vLLM and must never be reused, because prefix caches are keyed by the id.
        """
        from vllm.lora.request import LoRARequest

        request = LoRARequest(f"v{version}", version, str(folder))
        if not self._llm.llm_engine.add_lora(request):
            raise RuntimeError(f"vLLM refused to load adapter v{version} from {folder}")
        if self._lora_request is not None:
            self._llm.llm_engine.remove_lora(self._lora_request.lora_int_id)
        self._lora_request = request

    def load_merged(self, files: Mapping[str, FileContent], base_copy: str) -> None:
        """Merges an adapter into the served weights, which become W0 + alpha / rank · B·A.

        W0 is an unchanged copy of the base weights; the first call reads it from the checkpoint. The vision tower does
        not change, so the cached encodings of videos stay valid; the prefix cache is cleared.
        """
        self._llm.collective_rpc(_write_merged, args=(self._model, dict(files), base_copy))
        self.drop_prefixes()

    def load_full(self, files: Mapping[str, FileContent], *, vision_changed: bool) -> None:
        """Replaces the served weights in place by those in the files of a Hugging Face model folder.

        Clears the prefix cache, and if the vision tower changed, the cache of video encodings as well.
        """
        self._llm.collective_rpc(_write_full, args=(dict(files),))
        self.drop_prefixes()
        if vision_changed:
            self._llm.llm_engine.reset_encoder_cache()

    def open_transfer(self, address: str, port: int, *, first_rank: int, num_ranks: int) -> None:
        """Joins the NCCL group in which the learner's rank 0 sends weights. The engine must have `takes_transfers`.

        first_rank: number within the group of this engine's first shard. num_ranks: number of members of the group.
        """
        group = {"master_address": address, "master_port": port, "rank_offset": first_rank, "world_size": num_ranks}
        self._llm.init_weight_transfer_engine({"init_info": group})

    def receive(self, manifest: Sequence[TensorPlace], *, vision_changed: bool) -> None:
        """Receives the tensors of `manifest` from the NCCL group, in the order of the manifest, while the learner sends
        them.

        Clears the same caches as `load_full`.
        """
        update = {
            "names": [place.name for place in manifest],
            "dtype_names": [place.dtype for place in manifest],
            "shapes": [list(place.shape) for place in manifest],
        }
        self._llm.start_weight_update()
        self._llm.update_weights({"update_info": update})
        self._llm.finish_weight_update()
        self.drop_prefixes()
        if vision_changed:
            self._llm.llm_engine.reset_encoder_cache()

    def drop_prefixes(self) -> None:
        """Clears the prefix cache, which holds the prompts that were computed with the served weights.

        Raises: RuntimeError while a request is running.
        """
        if not self._llm.reset_prefix_cache():
            raise RuntimeError("vLLM could not clear its prefix cache, because a request is still running")

    def logprobs(self, token_ids: Sequence[int]) -> tuple[float, ...]:
        """Returns the natural log-probabilities of a text's T tokens at temperature 1 under the served weights, [T-1]:
        the first token has none."""
        from vllm import SamplingParams

        params = SamplingParams(max_tokens=1, temperature=1.0, seed=0, prompt_logprobs=0, detokenize=False)
        prompt: Any = {"prompt_token_ids": list(token_ids)}
        (output,) = self._llm.generate([prompt], params, use_tqdm=False, lora_request=self._lora_request)
        scored = list(output.prompt_logprobs or ())[1:]  # the first token has no context
        return tuple(
            float(choices[token].logprob) for token, choices in zip(token_ids[1:], scored, strict=True) if choices
        )

    def differing_from_adapter(self, version: int, files: Mapping[str, FileContent]) -> tuple[str, ...]:
        """Returns the names of the weights whose adapter, as loaded by `load_adapter`, is not the one in the files."""
        return self._differing(compare_adapter, version, dict(files))

    def differing_from_merged(self, version: int, files: Mapping[str, FileContent], base_copy: str) -> tuple[str, ...]:
        """Returns the names of the weights that are not W0 + alpha / rank · B·A with the adapter in the files. Compares
        some columns of each matrix, other ones for each version."""
        return self._differing(compare_merged, version, self._model, dict(files), base_copy)

    def differing_from(self, version: int, columns: Mapping[str, Any]) -> tuple[str, ...]:
        """Returns the names of the weights whose served columns are not the given ones.

        columns: for each weight, the columns that `published_columns` chooses for this version, [rows, columns].
        """
        return self._differing(compare_columns, version, dict(columns))

    def _differing(self, compare: Any, *arguments: Any) -> tuple[str, ...]:
        found = self._llm.collective_rpc(compare, args=arguments)
        return tuple(dict.fromkeys(name for shard in found for name in shard))


def _write_merged(worker: Any, folder: Path, files: Mapping[str, FileContent], base_copy: str) -> None:
    """Merges an adapter into the weights of one of vLLM's workers, in that worker's process. The worker stores its copy
    of the base weights as an attribute."""
    factors = read_factors(files, worker.device)
    base = base_of(worker, folder, frozenset(factors), base_copy)
    _write(worker, base.merged(factors, worker.model_config.dtype))


def _write_full(worker: Any, files: Mapping[str, FileContent]) -> None:
    for content in files.values():
        _write(worker, read_tensors(content).items())


def _write(worker: Any, tensors: Iterable[tuple[str, Any]]) -> None:
    """Loads weights, with the checkpoint's names and shapes, into the served model. vLLM's own loader renames them,
    fuses matrices and takes this worker's tensor-parallel shard."""
    import torch
    from vllm.config import set_current_vllm_config
    from vllm.model_executor.model_loader.reload import finalize_layerwise_reload, initialize_layerwise_reload

    model = worker.model_runner.get_model()
    with set_current_vllm_config(worker.vllm_config), torch.no_grad():
        if worker.device.type == "cuda":
            # overwrites the storage that captured CUDA graphs read
            model.load_weights(tensors)
            return
        # on CPU a linear layer keeps only the packed form of its matrix, so whole layers must be packed again
        initialize_layerwise_reload(model)
        model.load_weights(tensors)
        finalize_layerwise_reload(model, worker.model_config)
        # a tied output layer has the embedding's matrix, which is new now, and an older packed form of it
        head, embedding = model.language_model.lm_head, model.language_model.model.embed_tokens
        if getattr(head, "weight", None) is embedding.weight:
            head.quant_method.process_weights_after_loading(head)


def _read(output: Any) -> EngineOutput:
    token_ids = tuple(output.token_ids)
    logprobs = tuple(float(choices[token].logprob) for token, choices in zip(token_ids, output.logprobs, strict=True))
    reason: FinishReason = "length" if output.finish_reason == "length" else "stop"
    return EngineOutput(token_ids=token_ids, logprobs=logprobs, finish_reason=reason)


def _video(video: Clip | ClipFeatures) -> Any:
    """Returns a video, as frames or as features, in the form that vLLM expects in multi_modal_data."""
    if isinstance(video, ClipFeatures):
        return {
            "video_embeds": video.features,
            "video_grid_thw": torch.tensor([video.patch_grid]),
            "second_per_grid_ts": torch.tensor([video.seconds_per_patch]),
        }
    # without do_sample_frames=False vLLM would sample from the frames a second time
    return [(video.frames, {**video_metadata(video), "do_sample_frames": False})]
