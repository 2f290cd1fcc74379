"""Checks of a job's settings against its model and data set, made before the first actor starts.

The actors load for minutes, and find these mistakes one after the other.
"""

import sys
from collections.abc import Sequence

from vaserl.dataset import DataSet
from vaserl.errors import UserError
from vaserl.policy.fingerprint import probe_ids
from vaserl.policy.lora_targets import check_lora_targets
from vaserl.policy.prompt_length import clip_sizes, longest_prompt
from vaserl.policy.prompter import Prompter
from vaserl.rewards import Scorer
from vaserl.settings import DataSettings, ModelSettings, RolloutSettings, SftSettings, TrainSettings
from vaserl.settings.rollout import max_model_len
from vaserl.types import Task

_COARSE_GAP = 0.01
"""Mean difference between two computations of the same log-probabilities in bfloat16 that rounding alone can cause."""


def check_training(settings: TrainSettings, tasks: Sequence[Task]) -> None:
    """Checks a GRPO run: LoRA layers, the clips' numbers of frames and the prompts' lengths. Prints a warning about
    limits that bfloat16 can't keep.

    Raises: UserError that names the key to change.
    """
    if settings.learner.method == "lora":
        check_lora_targets(settings.model.path, settings.learner.lora.target_modules)
    check_prompts(settings.model, settings.data, settings.rollout, tasks)
    for warning in tight_limits(settings):
        print(f"warning: {warning}", file=sys.stderr)


def check_imitation(settings: SftSettings, clips: Sequence[str]) -> None:
    """Checks a supervised run: the clips' numbers of frames, and LoRA layers unless the run builds its own model.

    clips: content hash of each clip. Raises: UserError that names the key to change.
    """
    if settings.learner.method == "lora" and settings.tiny_model is None:
        check_lora_targets(settings.model.path, settings.learner.lora.target_modules)
    clip_sizes(DataSet.of_settings(settings.data).clips, clips, settings.data.num_frames)


def check_prompts(model: ModelSettings, data: DataSettings, rollout: RolloutSettings, tasks: Sequence[Task]) -> None:
    """Checks that each prompt, with a completion of `max_new_tokens` tokens, fits into the engine's max_model_len.

    vLLM ends a completion early when the sum exceeds the limit, and refuses a prompt that exceeds it alone.

    Raises: UserError when a prompt or the probe text is too long, or a clip has too few frames.
    """
    sizes = clip_sizes(DataSet.of_settings(data).clips, [task.clip for task in tasks], data.num_frames)
    prompter = Prompter(model.path, data.system)
    longest = longest_prompt(prompter, tasks, sizes, data.num_frames)
    tokenizer = prompter.tokenizer
    num_probe = len(probe_ids(lambda text: tokenizer(text, add_special_tokens=False)["input_ids"]))
    limit = max_model_len(rollout)
    if limit is None:
        return
    needed = max(longest.num_tokens + rollout.max_new_tokens, num_probe + 1)
    if needed <= limit:
        return
    stated = "" if "max_model_len" in rollout.engine_args else " (the default)"
    if longest.num_tokens + rollout.max_new_tokens > limit:
        reason = (
            f"the prompt of task {longest.task} has {longest.num_tokens} tokens, {longest.num_clip_tokens} of them for "
            f"the clip, and rollout.max_new_tokens = {rollout.max_new_tokens} more may follow. Set "
            f"rollout.engine_args.max_model_len to at least {needed}, or lower rollout.max_new_tokens or "
            f"data.num_frames = {data.num_frames}"
        )
    else:
        reason = (
            f"the text with which every publication of weights is checked has {num_probe} tokens. Set "
            f"rollout.engine_args.max_model_len to at least {needed}"
        )
    raise UserError(f"rollout.engine_args.max_model_len = {limit}{stated} is too small: {reason}")


def report_services(scorer: Scorer) -> None:
    """Prints a warning for each service of a reward function that does not answer and without which the run goes on.

    Raises: UserError for any other service that does not answer.
    """
    for warning in scorer.check():
        print(f"warning: {warning}", file=sys.stderr)


def tight_limits(settings: TrainSettings) -> list[str]:
    """Returns a warning for limits on the difference between learner and engine that bfloat16 can't keep."""
    limits = {
        "max_logprob_gap": settings.max_logprob_gap,
        "rollout.max_fingerprint_gap": settings.rollout.max_fingerprint_gap,
    }
    tight = [f"{key} = {limit:g}" for key, limit in limits.items() if limit < _COARSE_GAP]
    if settings.model.dtype != "bfloat16" or not tight:
        return []
    return [
        f"{' and '.join(tight)}: rounding in bfloat16 (model.dtype) alone can cause a difference of {_COARSE_GAP:g} or "
        "more between learner and engine, which would stop the run. The defaults, 0.05 and 0.1, suit bfloat16"
    ]
