"""A Qwen2.5-VL policy as its folder describes it: prompts, clips, and the forward pass over a layout."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from vaserl.errors import UserError
from vaserl.files.clip import Clip
from vaserl.policy.attention import install, plan_attention
from vaserl.policy.layout import Layout
from vaserl.policy.logprobs import token_logprobs
from vaserl.policy.positions import VideoGrid, temporal_interval


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipPixels:
    """A clip as the vision tower takes it."""

    patches: torch.Tensor
    """[patches, channels · temporal patch · patch²] float32, as the processor makes them."""
    patch_grid: tuple[int, int, int]
    """Patches in time, height and width, before merging."""
    seconds_per_patch: float
    """Seconds between two temporal patches."""
    grid: VideoGrid
    """Tokens after merging, with the clip's pace."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClipFeatures:
    """A clip as the vision tower leaves it: all that the language model sees of it."""

    features: torch.Tensor
    """[tokens, H] in the tower's precision."""
    patch_grid: tuple[int, int, int]
    """Patches in time, height and width, before merging."""
    seconds_per_patch: float
    """Seconds between two temporal patches."""
    grid: VideoGrid
    """Tokens after merging, with the clip's pace."""

    def begun_later(self, num_patches: int) -> "ClipFeatures":
        """The features of the same turn begun `num_patches` temporal patches later.

        The tower attends within a temporal patch only and places patches in height and width alone, so these are the
        same features in another order.
        """
        in_time = self.features.unflatten(0, (self.grid.time, -1))
        return replace(self, features=in_time.roll(-num_patches, 0).flatten(0, 1))


Video = ClipPixels | ClipFeatures
"""A clip on either side of the vision tower."""


class Prompter:
    """Turns tasks and clips into what the model reads; holds the folder's processor.

    Raises: UserError when the folder is missing or holds no Qwen2.5-VL processor.
    """

    def __init__(self, folder: Path | str):
        from transformers import AutoConfig, AutoProcessor

        check_model_folder(folder)
        config = AutoConfig.from_pretrained(folder)
        self._processor: Any = AutoProcessor.from_pretrained(folder)
        self.tokenizer = self._processor.tokenizer
        self.video_token_id: int = config.video_token_id
        self.eos_token_id: int = self.tokenizer.eos_token_id
        self.pad_token_id: int = self.tokenizer.pad_token_id
        self._vision = config.vision_config
        # a run asks the same few questions of every clip, and a template is rendered by jinja each time
        self._template_ids = lru_cache(maxsize=4096)(self._tokenise_prompt)
        self.answer_ids = lru_cache(maxsize=65536)(self._tokenise_answer)

    def text(self, prompt: str) -> str:
        """The chat-template text of a user turn with one video and `prompt`, ready for the answer."""
        content = [{"type": "video"}, {"type": "text", "text": prompt}]
        return self._processor.apply_chat_template(
            [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
        )

    def token_ids(self, prompt: str, grid: VideoGrid) -> tuple[int, ...]:
        """The prompt's tokens, the single video placeholder expanded to the clip's number of tokens."""
        ids = self._template_ids(prompt)
        at = ids.index(self.video_token_id)
        return (*ids[:at], *(self.video_token_id,) * grid.num_tokens, *ids[at + 1 :])

    def _tokenise_prompt(self, prompt: str) -> tuple[int, ...]:
        return tuple(self.tokenizer(self.text(prompt), add_special_tokens=False)["input_ids"])

    def _tokenise_answer(self, answer: str) -> tuple[int, ...]:
        """The tokens of an answer with the end-of-turn token."""
        return (*self.tokenizer(answer, add_special_tokens=False)["input_ids"], self.eos_token_id)

    def decode(self, token_ids: tuple[int, ...]) -> str:
        """The text of generated tokens, special tokens dropped."""
        return self.tokenizer.decode(list(token_ids), skip_special_tokens=True)

    def pixels(self, clip: Clip) -> ClipPixels:
        """The clip through the folder's own video processor; its frames are taken as they are, never resampled."""
        frames = torch.tensor(clip.frames).permute(0, 3, 1, 2)
        processed = self._processor.video_processor(
            videos=[frames], do_sample_frames=False, return_tensors="pt", video_metadata=[video_metadata(clip)]
        )
        time, height, width = (int(n) for n in processed["video_grid_thw"][0])
        merge = self._vision.spatial_merge_size
        return ClipPixels(
            patches=processed["pixel_values_videos"],
            patch_grid=(time, height, width),
            seconds_per_patch=self._vision.temporal_patch_size / clip.fps,
            grid=VideoGrid(
                time=time,
                height=height // merge,
                width=width // merge,
                temporal_interval=temporal_interval(
                    clip.fps, self._vision.temporal_patch_size, self._vision.tokens_per_second
                ),
            ),
        )


def video_metadata(clip: Clip) -> dict[str, Any]:
    """What both transformers and vLLM must be told of a clip: without its fps they assume 24 and move the time axis.

    The frames given are the whole video, so indices count within it.
    """
    num_frames = len(clip.frames)
    return {
        "fps": clip.fps,
        "total_num_frames": num_frames,
        "frames_indices": list(range(num_frames)),
        "duration": num_frames / clip.fps,
        "video_backend": "pyav",
    }


class Policy(nn.Module):
    """A Qwen2.5-VL whose forward pass reads a shared-prefix layout and answers with logprobs."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model: Any = model

    def video_features(self, videos: Sequence[Video]) -> torch.Tensor:
        """[tokens of all clips, H] what the language model sees of the clips: their features as they are, or the
        vision tower's output for pixels.

        Raises: ValueError for features where the tower is trained: they are an older tower's.
        """
        device = self.model.device
        vision_is_trained = any(p.requires_grad for p in self.model.model.visual.parameters())
        if vision_is_trained and any(isinstance(video, ClipFeatures) for video in videos):
            raise ValueError("features were given to a policy whose vision tower is trained; give it pixels")
        if not videos:
            return torch.empty(0, self.model.config.text_config.hidden_size, device=device)
        pixels = [video for video in videos if isinstance(video, ClipPixels)]
        encoded: list[torch.Tensor] = []
        if pixels:
            patches = torch.cat([p.patches for p in pixels]).to(device)
            grids = torch.tensor([p.patch_grid for p in pixels], device=device)
            with torch.set_grad_enabled(vision_is_trained and torch.is_grad_enabled()):
                encoded = list(self.model.model.get_video_features(patches, grids).pooler_output)
        in_order = iter(encoded)
        return torch.cat([v.features.to(device) if isinstance(v, ClipFeatures) else next(in_order) for v in videos])

    def forward(
        self, videos: Sequence[Video], layout: Layout, temperature: float = 1.0
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Logprobs [N] and entropies [N] of the layout's trained tokens. `videos` has the clip of each group,
        or none at all for rows of text."""
        features = self.video_features(videos)
        layout = layout.to(self.model.device)
        embeds = self.model.get_input_embeddings()(layout.input_ids)
        embeds = embeds.masked_scatter(layout.video_mask[..., None], features.to(embeds.dtype))
        hidden = self.model.model.language_model(
            inputs_embeds=embeds,
            attention_mask=None,
            position_ids=layout.position_ids,
            attention_plan=plan_attention(layout.spans, embeds.device, embeds.dtype) if layout.spans else None,
            use_cache=False,
        ).last_hidden_state
        predicting = hidden.flatten(0, 1)[layout.predictor]
        return token_logprobs(predicting, layout.target_ids, self.model.lm_head, temperature)


def load_model(folder: Path | str, dtype: torch.dtype = torch.float32) -> Any:
    """The folder's Qwen2.5-VL, its language model attending by plan.

    Raises: UserError when the folder is missing or holds no Qwen2.5-VL.
    """
    from transformers import Qwen2_5_VLForConditionalGeneration

    check_model_folder(folder)
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(folder, dtype=dtype, attn_implementation="sdpa")
    install(model)
    return model


def check_model_folder(folder: Path | str) -> None:
    """Raises: UserError when `folder` is not a folder with a Qwen2.5-VL's config.json."""
    path = Path(folder)
    if not path.is_dir():
        raise UserError(
            f"model folder {path} does not exist. Give a folder with a Qwen2.5-VL checkpoint in the Hugging Face form "
            "(model.path), or make the small one with `make quickstart`."
        )
    config = path / "config.json"
    if not config.is_file() or '"qwen2_5_vl"' not in config.read_text():
        raise UserError(f"model folder {path} holds no Qwen2.5-VL: its config.json is missing or of another model_type")
