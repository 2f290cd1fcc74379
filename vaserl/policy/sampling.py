"""Samples from a policy without an inference engine: on machines without vLLM, and as the reference in tests of the
engine."""

import torch

from vaserl.files.clip import Clip
from vaserl.policy.policy import Policy
from vaserl.policy.positions import prompt_positions
from vaserl.policy.prompter import Prompter


@torch.no_grad()
def sample(
    policy: Policy,
    prompter: Prompter,
    clip: Clip,
    prompt: str,
    *,
    temperature: float = 0.0,
    max_new_tokens: int = 128,
    seed: int = 0,
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Samples one answer to `prompt` about `clip`. At temperature 0, each token is the most probable one.

    Returns: the token ids, including the end-of-turn token if it was sampled, and each token's log-probability.
    Log-probabilities are computed at the sampling temperature, or at temperature 1 if `temperature` is 0.
    """
    model, device = policy.model, policy.model.device
    pixels = prompter.pixels(clip)
    prompt_ids = torch.tensor(prompter.token_ids(prompt, pixels.grid), device=device)
    video = prompt_ids == prompter.video_token_id
    start = int(video.nonzero()[0])
    positions = prompt_positions(len(prompt_ids), start, pixels.grid).to(device)
    features = policy.video_features([pixels])
    embeds = model.get_input_embeddings()(prompt_ids)
    embeds = embeds.masked_scatter(video[:, None], features.to(embeds.dtype))[None]
    generator = torch.Generator().manual_seed(seed)
    next_position = int(positions.max()) + 1
    position_ids, cache = positions[:, None], None
    tokens: list[int] = []
    logprobs: list[float] = []
    while len(tokens) < max_new_tokens:
        output = model.model.language_model(
            inputs_embeds=embeds, position_ids=position_ids, past_key_values=cache, use_cache=True
        )
        cache = output.past_key_values
        logits = model.lm_head(output.last_hidden_state[0, -1]).float().cpu()
        logp = torch.log_softmax(logits / (temperature or 1.0), dim=-1)
        token = int(logp.argmax()) if temperature == 0 else int(torch.multinomial(logp.exp(), 1, generator=generator))
        tokens.append(token)
        logprobs.append(float(logp[token]))
        if token == prompter.eos_token_id:
            break
        embeds = model.get_input_embeddings()(torch.tensor([[token]], device=device))
        position_ids = torch.full((3, 1, 1), next_position, device=device)
        next_position += 1
    return tuple(tokens), tuple(logprobs)
