"""Keeps rendered foregrounds in a file, so that a continued training need not render them anew."""

import os
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from vaserl.errors import UserError
from vaserl.synthetic.scenes.bank import ForegroundBank, render_bank, renderer_hash


def kept_bank(
    path: Path, seed: int, numbers: range, side: int, device: torch.device, num_workers: int
) -> ForegroundBank:
    """Returns the bank in the file `path`, or renders it as `render_bank` does and writes the file.

    Raises: UserError when the file holds other objects, or was rendered by other code.
    """
    identity = f"seed {seed}, objects {numbers.start} to {numbers.stop - 1}, {side} pixels, code {renderer_hash()[:12]}"
    if path.exists():
        with safe_open(path, framework="pt") as file:
            found = (file.metadata() or {}).get("identity", "something else")
            if found != identity:
                raise UserError(f"{path} holds {found}; wanted is {identity}. Remove it, or name another file")
            return ForegroundBank(file.get_tensor("pixels").to(device), file.get_tensor("kinds").numpy())
    bank = render_bank(seed, numbers, side, device, num_workers)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.writing-{os.getpid()}")
    kinds = torch.from_numpy(bank.kinds)
    save_file({"pixels": bank.pixels.cpu().contiguous(), "kinds": kinds}, unfinished, metadata={"identity": identity})
    unfinished.replace(path)
    return bank
