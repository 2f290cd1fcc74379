"""The policy: a Qwen2.5-VL loaded from a folder, and its forward pass over rows of prompts and completions."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from vaserl.policy.attention import install_attention, plan_attention
from vaserl.policy.clips import ClipFeatures, ClipInput, ClipPixels
from vaserl.policy.layout import Layout
from vaserl.policy.logprobs import token_logprobs
from vaserl.policy.model_folder import check_model_folder


class Policy(nn.Module):
    """A Qwen2.5-VL whose forward pass returns log-probabilities and entropies of the trained tokens in a `Layout`,
    which contains prompts and completions."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model: Any = model

    def video_features(self, clips: Sequence[ClipInput]) -> torch.Tensor:
        """Returns the language model's input for the clips, [tokens of all clips, hidden size]. The vision tower
        encodes clips given as pixels; clips given as features are used unchanged.

        Raises: ValueError when clips are given as features and the vision tower is trained, because an older version of
        the tower computed these features.
        """
        device = self.model.device
        vision_is_trained = any(p.requires_grad for p in self.model.model.visual.parameters())
        if vision_is_trained and any(isinstance(clip, ClipFeatures) for clip in clips):
            raise ValueError(
                "clips were given as features, but the policy's vision tower is trained; give them as pixels"
            )
        if not clips:
            return torch.empty(0, self.model.config.text_config.hidden_size, device=device)
        pixels = [clip for clip in clips if isinstance(clip, ClipPixels)]
        encoded: list[torch.Tensor] = []
        if pixels:
            patches = torch.cat([p.patches for p in pixels]).to(device)
            grids = torch.tensor([p.patch_grid for p in pixels], device=device)
            with torch.set_grad_enabled(vision_is_trained and torch.is_grad_enabled()):
                encoded = list(self.model.model.get_video_features(patches, grids).pooler_output)
        in_order = iter(encoded)
        return torch.cat([v.features.to(device) if isinstance(v, ClipFeatures) else next(in_order) for v in clips])

    def forward(
        self, clips: Sequence[ClipInput], layout: Layout, temperature: float = 1.0
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns log-probabilities [N] and entropies [N], in nats, of the layout's N trained tokens.

        clips: one clip for each group in the layout; empty if the layout contains only text.
        """
        features = self.video_features(clips)
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
    """Loads the Qwen2.5-VL in `folder` and replaces the attention of its language model (see `install_attention`).

    Raises: UserError when the folder is missing or does not contain a Qwen2.5-VL.
    """
    from transformers import Qwen2_5_VLForConditionalGeneration

    check_model_folder(folder)
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(folder, dtype=dtype, attn_implementation="sdpa")
    install_attention(model)
    return model


def replace_weights(model: nn.Module, tensors: Mapping[str, torch.Tensor]) -> None:
    """Copies `tensors` into the parameters and buffers of `model` that have their names.

    A tied output layer has the embedding's matrix, so the tensors may contain either name or both.

    Raises: ValueError when a tensor has no place in the model, or a weight of the model is not among the tensors.
    """
    places = model.state_dict(keep_vars=True)
    filled = {id(places[name]) for name in tensors if name in places}
    missing = [name for name, place in places.items() if id(place) not in filled]
    if unknown := sorted(set(tensors) - set(places)):
        raise ValueError(f"the model has no weight {unknown[0]} to replace ({len(unknown)} such weights)")
    if missing:
        raise ValueError(f"{missing[0]} is not among the weights that replace the model's ({len(missing)} are missing)")
    model.load_state_dict(tensors, strict=False)
