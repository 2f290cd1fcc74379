"""Makes a model's input (the tokens of a prompt, the pixels of a clip) with the processor in the model's folder."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from vaserl.errors import UserError
from vaserl.files.clip import Clip
from vaserl.policy.clips import ClipPixels
from vaserl.policy.model_folder import check_model_folder
from vaserl.policy.positions import VideoGrid, temporal_interval


class Prompter:
    """The tokenizer and video processor of a model folder, which turn a prompt into tokens and a clip into pixels.

    Raises: UserError when the folder is missing or does not contain a Qwen2.5-VL.
    """

    def __init__(self, folder: Path | str, system: str = ""):
        """system: text of the system message of every prompt; without one, the chat template decides."""
        from transformers import AutoConfig, AutoProcessor

        check_model_folder(folder)
        config = AutoConfig.from_pretrained(folder)
        self._system = [{"role": "system", "content": [{"type": "text", "text": system}]}] if system else []
        self._processor: Any = AutoProcessor.from_pretrained(folder)
        self.tokenizer = self._processor.tokenizer
        self.video_token_id: int = config.video_token_id
        self.eos_token_id: int = self.tokenizer.eos_token_id
        self.pad_token_id: int = self.tokenizer.pad_token_id
        self._vision = config.vision_config
        # a run has few distinct prompts, and rendering the jinja template is slow
        self._template_ids = lru_cache(maxsize=4096)(self._tokenise_prompt)
        self.answer_ids = lru_cache(maxsize=65536)(self._tokenise_answer)

    def text(self, prompt: str) -> str:
        """Returns the model's chat template, filled with the system message, one video and `prompt` as the user's turn.
        The text ends where the model's answer begins."""
        content = [{"type": "video"}, {"type": "text", "text": prompt}]
        return self._processor.apply_chat_template(
            [*self._system, {"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
        )

    def token_ids(self, prompt: str, grid: VideoGrid) -> tuple[int, ...]:
        """Returns the prompt's token ids, with the video placeholder repeated once for each token of the clip."""
        ids = self._template_ids(prompt)
        if ids.count(self.video_token_id) != 1:
            raise UserError(
                f"the prompt {prompt!r}, or the system message, contains the model's placeholder of a video; the "
                "clip's own is the only one that a prompt may have"
            )
        at = ids.index(self.video_token_id)
        return (*ids[:at], *(self.video_token_id,) * grid.num_tokens, *ids[at + 1 :])

    def _tokenise_prompt(self, prompt: str) -> tuple[int, ...]:
        return tuple(self.tokenizer(self.text(prompt), add_special_tokens=False)["input_ids"])

    def _tokenise_answer(self, answer: str) -> tuple[int, ...]:
        """Returns the token ids of an answer, followed by the end-of-turn token."""
        return (*self.tokenizer(answer, add_special_tokens=False)["input_ids"], self.eos_token_id)

    def decode(self, token_ids: tuple[int, ...]) -> str:
        """Returns the text of generated tokens, without special tokens such as end of turn."""
        return self.tokenizer.decode(list(token_ids), skip_special_tokens=True)

    def pixels(self, clip: Clip) -> ClipPixels:
        """Returns the clip as the video processor's output, which is the vision tower's input. All frames of the clip
        are used, because the processor's own sampling of frames is switched off."""
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
    """Returns a clip's metadata for transformers and vLLM. Without the frame rate both would assume 24 frames per
    second and compute wrong temporal positions.

    `frames_indices` counts from 0, because the clip's frames are treated as the whole video.
    """
    num_frames = len(clip.frames)
    return {
        "fps": clip.fps,
        "total_num_frames": num_frames,
        "frames_indices": list(range(num_frames)),
        "duration": num_frames / clip.fps,
        "video_backend": "pyav",
    }
