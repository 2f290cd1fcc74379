"""The training loop. Every step composes scenes from a seed of its own, so a continued run equals an unbroken one."""

import json
import math
import time
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import nn

from vaserl.errors import UserError
from vaserl.files import write_atomic
from vaserl.meshes.cutout.network import CutoutNet
from vaserl.synthetic.scenes.bank import ForegroundBank
from vaserl.synthetic.scenes.dice import Dice
from vaserl.synthetic.scenes.props import Props
from vaserl.synthetic.scenes.scene import compose
from vaserl.synthetic.train_cutout.loss import cutout_loss, network_input
from vaserl.synthetic.train_cutout.settings import TrainCutoutSettings
from vaserl.synthetic.train_cutout.start import start_weights

_CHECKPOINT = "checkpoint.safetensors"
_WARM_UP = 0.04
_LOG_EVERY = 50


class CutoutTraining:
    """A training of the cut-out network that can be stopped after any step and continued from its folder."""

    def __init__(self, settings: TrainCutoutSettings, bank: ForegroundBank, props: Props) -> None:
        """Continues from the checkpoint in settings.out if there is one, otherwise begins at settings.start_from.

        Raises: UserError when the checkpoint is one of other settings, or the weights to begin with don't fit.
        """
        self.settings = settings
        self.device = bank.device
        self._bank, self._props = bank, props
        torch.manual_seed(settings.seed)
        # on the host, so that every device begins with the same weights
        network = CutoutNet(settings.widths, settings.depths)
        self._start = start = start_weights(settings)
        self.started_from = start and start.sha256
        """SHA-256 of the weights with which the training began, None for random ones."""
        if start is not None:
            network.load_state_dict(start.state)
        self.network = network.to(self.device).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self.average = {name: tensor.detach().clone() for name, tensor in self.network.state_dict().items()}
        decayed = [p for p in self.network.parameters() if p.ndim > 1]
        others = [p for p in self.network.parameters() if p.ndim <= 1]
        self._optimizer = torch.optim.AdamW(
            [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": others, "weight_decay": 0.0}],
            lr=settings.learning_rate,
            betas=(0.9, 0.99),
        )
        self.num_done = 0
        if (settings.out / _CHECKPOINT).exists():
            self._restore(settings.out / _CHECKPOINT)

    def train(self, log: Callable[[dict[str, float]], None], deadline: float = math.inf) -> bool:
        """Runs steps until all are done or `deadline` (of time.monotonic) has passed; writes checkpoints.

        log: called every 50 steps with the mean losses and the speed. Returns: True if all steps are done.
        """
        settings = self.settings
        settings.out.mkdir(parents=True, exist_ok=True)
        self.network.train()
        since, start, num_seen = [], time.monotonic(), 0
        while self.num_done < settings.num_steps:
            if time.monotonic() > deadline:
                self.save()
                return False
            num, losses = self._step(self.num_done)
            self.num_done += 1
            num_seen += num
            since.append(torch.stack(list(losses.values())))
            if self.num_done % _LOG_EVERY == 0 or self.num_done == settings.num_steps:
                means = torch.stack(since).mean(0).tolist()  # waits for the device
                spent = time.monotonic() - start
                log({"step": self.num_done, **dict(zip(losses, means, strict=True)), "per_s": num_seen / spent})
                if not math.isfinite(means[0]):
                    raise UserError(
                        f"the loss is {means[0]} at step {self.num_done}; lower learning_rate and start again"
                    )
                since, start, num_seen = [], time.monotonic(), 0
            if self.num_done % settings.checkpoint_every == 0:
                self.save()
        self.save()
        return True

    def result(self) -> CutoutNet:
        """Returns a network with the averaged weights, and `start_share` of those at the beginning, in evaluation
        mode."""
        network = CutoutNet(self.settings.widths, self.settings.depths)
        state = self.average
        if self._start is not None and self.settings.start_share:
            begun = self._start.state
            state = {
                name: tensor.lerp(begun[name].to(tensor.device), self.settings.start_share)
                if tensor.is_floating_point()
                else tensor
                for name, tensor in state.items()
            }
        network.load_state_dict(state)
        return network.eval().to(self.device).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def save(self) -> None:
        """Writes the checkpoint."""
        tensors = {f"average.{name}": tensor for name, tensor in self.average.items()}
        tensors |= {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        for name, parameter in self.network.named_parameters():
            for key, value in self._optimizer.state.get(parameter, {}).items():
                tensors[f"optimizer.{name}.{key}"] = value
        host = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        # one key: safetensors writes several in any order, and equal states are to be equal files
        state = json.dumps({"num_done": self.num_done, "identity": self._identity()})
        write_atomic(self.settings.out / _CHECKPOINT, save(host, metadata={"training": state}))

    def _restore(self, path: Path) -> None:
        from safetensors import safe_open

        with safe_open(path, framework="pt") as file:
            metadata = json.loads(file.metadata()["training"])
        if metadata["identity"] != self._identity():
            raise UserError(f"{path} is of a training with other settings; choose another folder in out, or remove it")
        tensors = load_file(path)

        def part(prefix: str) -> dict[str, torch.Tensor]:
            return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}

        self.network.load_state_dict(part("network."))
        self.average = {name: tensor.to(self.device) for name, tensor in part("average.").items()}
        for name, parameter in self.network.named_parameters():
            stored = part(f"optimizer.{name}.")
            kept = {"step": stored.pop("step")} if "step" in stored else {}
            moments = {key: torch.empty_like(parameter).copy_(value) for key, value in stored.items()}
            self._optimizer.state[parameter] = kept | moments
        self.num_done = metadata["num_done"]

    def _identity(self) -> str:
        """Returns the settings that decide on the steps, as JSON."""
        unimportant = {"out", "stop_after_s", "checkpoint_every", "num_scored", "start_share"}
        values = json.loads(self.settings.model_dump_json(exclude=unimportant))
        values["start_from"] = self.started_from  # the weights count, not where they lie
        for key in ("num_workers", "num_held_out", "keep"):
            values["foregrounds"].pop(key)
        return json.dumps(values, sort_keys=True)

    def _step(self, number: int) -> tuple[int, dict[str, torch.Tensor]]:
        settings = self.settings
        side = settings.sides[number % len(settings.sides)]
        num = max(2, round(settings.batch_size * (settings.sides[0] / side) ** 2))
        pictures = compose(self._bank, self._props, Dice([settings.seed, 1, number], self.device), num, side)
        torch.manual_seed(settings.seed * 1_000_003 + number)  # dropout
        for group in self._optimizer.param_groups:
            group["lr"] = settings.learning_rate * self._rate(number)
        inputs = network_input(pictures).to(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            mask_logits, view_logits = self.network(inputs)
        losses = cutout_loss(mask_logits, view_logits, pictures)
        self._optimizer.zero_grad(set_to_none=True)
        losses["loss"].backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 2.0)
        self._optimizer.step()
        self._average(number)
        return num, {name: loss.detach() for name, loss in losses.items()}

    def _rate(self, number: int) -> float:
        share = (number + 1) / self.settings.num_steps
        return min(share / _WARM_UP, 0.5 + 0.5 * math.cos(math.pi * min(share, 1.0)))

    @torch.no_grad()
    def _average(self, number: int) -> None:
        decay = min(self.settings.ema, (1 + number) / (10 + number))
        state = self.network.state_dict()
        names = [name for name, tensor in state.items() if tensor.is_floating_point()]
        torch._foreach_lerp_([self.average[n] for n in names], [state[n] for n in names], 1 - decay)
        for name in state.keys() - set(names):
            self.average[name].copy_(state[name])
