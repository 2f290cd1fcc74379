"""Checks the pattern `learner.lora.target_modules` against the names of a model's layers, without loading the model."""

import re
from pathlib import Path

from vaserl.errors import UserError
from vaserl.policy.model_folder import name_in_model, stored_shapes


def check_lora_targets(folder: Path, pattern: str) -> None:
    """Checks that the pattern matches linear layers of the language model only.

    folder: model folder. A folder whose weights are not in safetensors files is not checked.

    Raises: UserError when the pattern is no regular expression, matches no layer, or matches a layer that can't be
    adapted or served.
    """
    shapes = {name_in_model(name): shape for name, shape in stored_shapes(folder).items()}
    if not shapes:
        return
    where = f"learner.lora.target_modules = {pattern!r}"
    try:
        # PEFT compares the full name of a module in the same way
        matched = re.compile(pattern)
    except re.error as error:
        raise UserError(f"{where} is no regular expression: {error}") from error
    layers = {name.removesuffix(".weight"): shape for name, shape in shapes.items() if name.endswith(".weight")}
    found = {name: shape for name, shape in layers.items() if matched.fullmatch(name)}
    example = next((name for name in sorted(layers) if name.endswith("q_proj")), "")
    if not found:
        raise UserError(f"{where} matches no layer of the model in {folder}; a full name is, for example, {example}")
    vision = [name for name in found if name.startswith("model.visual.")]
    if vision:
        raise UserError(
            f"{where} matches {len(vision)} vision layers, for example {vision[0]}. vLLM can't serve adapters on them; "
            r"let the pattern begin with .*language_model.*\. as the default does"
        )
    other = [name for name, shape in found.items() if len(shape) != 2 or name.endswith(("embed_tokens", "lm_head"))]
    if other:
        raise UserError(
            f"{where} matches {other[0]}, which is no linear layer of the language model, so it can't be adapted. "
            f"The full name of one that can be is {example}"
        )
