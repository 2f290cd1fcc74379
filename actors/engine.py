"""vLLM behind one small class: everything that depends on its version is in this file.

Runs with vLLM 0.26 (the newest for torch 2.11) to 0.32.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from vaserl.clip import Clip
from vaserl.models.policy import ClipFeatures, video_metadata
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
    """Environment of a worker process that will hold an engine; must be set before vLLM is imported."""
    threads = {"OMP_NUM_THREADS": str(num_threads)}
    return {**GPU_ENVIRONMENT, **threads} if num_gpus else {**CPU_ENVIRONMENT, **threads}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One prompt with its clip."""

    text: str
    """The chat-template text with a single video placeholder."""
    video: Clip | ClipFeatures
    """The frames the model sees, or what its vision tower makes of them."""
    video_hash: str
    """Identifies the video in the engine's caches: a repeated one is neither hashed nor processed again."""
    seed: int
    """Of the samples of this prompt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOutput:
    """Token ids as the engine made them; text is decoded once, elsewhere."""

    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    finish_reason: FinishReason


class Engine:
    """A vLLM instance that serves a base model, an adapter on it, or replaced weights."""

    def __init__(
        self,
        model: Path,
        *,
        dtype: str,
        max_lora_rank: int | None,
        eos_token_id: int,
        takes_features: bool,
        engine_args: dict[str, Any],
    ):
        """takes_features: requests bring features, not frames; the engine then has no vision tower at all."""
        from vllm import LLM

        lora: dict[str, Any] = {}
        if max_lora_rank is not None:
            # two in memory while one follows the other; one is served at a time
            lora = {"enable_lora": True, "max_lora_rank": max_lora_rank, "max_loras": 1, "max_cpu_loras": 2}
        defaults: dict[str, Any] = {
            "max_model_len": 4096,
            # with no video to encode vLLM leaves the tower out; features are taken all the same
            "limit_mm_per_prompt": {"image": 0, "video": 0 if takes_features else 1},
            "enable_mm_embeds": takes_features,
        }
        if not os.environ.get("CUDA_VISIBLE_DEVICES"):
            # a prompt cut in two would have to take a draw back from its seeded generator, which CPU ones can't
            defaults |= {"enforce_eager": True, "enable_chunked_prefill": False}
        self._llm = LLM(
            model=str(model),
            dtype=dtype,  # pyright: ignore[reportArgumentType]
            seed=0,
            logprobs_mode="processed_logprobs",  # at the sampling temperature, as the learner computes them
            **lora,
            **{**defaults, **engine_args},
        )
        self._eos_token_id = eos_token_id
        self._lora_request: Any = None

    def generate(
        self, requests: Sequence[Request], *, num_samples: int, temperature: float, max_new_tokens: int
    ) -> list[tuple[tuple[int, ...], list[EngineOutput]]]:
        """For each request the prompt's tokens, placeholders expanded, and `num_samples` outputs.

        Temperature 0 is greedy. top_p and top_k stay off, because they would bias the importance ratio.
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
                logprobs=0,  # the sampled token's alone
                seed=request.seed,
                stop_token_ids=[self._eos_token_id],
                detokenize=False,
            )
            for request in requests
        ]
        outputs = self._llm.generate(prompts, params, use_tqdm=False, lora_request=self._lora_request)
        return [(tuple(o.prompt_token_ids or ()), [_read(c) for c in o.outputs]) for o in outputs]

    def load_adapter(self, version: int, folder: Path) -> None:
        """Serves a LoRA adapter under its version as id, which is never reused: prefix caches are keyed by it."""
        from vllm.lora.request import LoRARequest

        request = LoRARequest(f"v{version}", version, str(folder))
        if not self._llm.llm_engine.add_lora(request):
            raise RuntimeError(f"the engine did not take adapter v{version}")
        if self._lora_request is not None:
            self._llm.llm_engine.remove_lora(self._lora_request.lora_int_id)
        self._lora_request = request

    def load_full(self, folder: Path) -> None:
        """Replaces the whole model's weights in place by those of a Hugging Face folder, and drops what the caches
        hold of the old ones: prefixes, and encoded clips, since the vision tower may have changed."""

        def reload(worker: Any) -> None:
            from safetensors import safe_open

            def tensors():
                for file in sorted(folder.glob("*.safetensors")):
                    with safe_open(file, framework="pt") as opened:
                        for name in opened.keys():  # noqa: SIM118 - not a dict
                            yield name, opened.get_tensor(name)

            worker.reload_weights(weights_iterator=tensors())

        self._llm.collective_rpc(reload)
        self._llm.reset_prefix_cache()
        # the worker has dropped its caches of clips with the weights; the scheduler must not believe in them
        self._llm.reset_mm_cache()
        self._llm.llm_engine.reset_encoder_cache()


def _read(output: Any) -> EngineOutput:
    token_ids = tuple(output.token_ids)
    logprobs = tuple(float(choices[token].logprob) for token, choices in zip(token_ids, output.logprobs, strict=True))
    reason: FinishReason = "length" if output.finish_reason == "length" else "stop"
    return EngineOutput(token_ids=token_ids, logprobs=logprobs, finish_reason=reason)


def _video(video: Clip | ClipFeatures) -> Any:
    """One video in the engine's terms."""
    if isinstance(video, ClipFeatures):
        return {
            "video_embeds": video.features,
            "video_grid_thw": torch.tensor([video.patch_grid]),
            "second_per_grid_ts": torch.tensor([video.seconds_per_patch]),
        }
    # vLLM would sample the frames a second time
    return [(video.frames, {**video_metadata(video), "do_sample_frames": False})]
