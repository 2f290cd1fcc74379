"""Tests every variant's loss and gradients against TRL 1.16 on the same batch and model, with ragged lengths, clipping
and a KL penalty."""

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

from vaserl.grpo.loss import policy_loss
from vaserl.settings import LossSettings

VOCABULARY = 64
TEMPERATURE = 0.9


@pytest.fixture(scope="module")
def language_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

    folder = tmp_path_factory.mktemp("qwen2")
    words = {f"w{i}": i for i in range(VOCABULARY - 3)} | {"<pad>": 61, "<eos>": 62, "<unk>": 63}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>"
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=128,
        pad_token_id=61,
        eos_token_id=62,
        bos_token_id=None,
        tie_word_embeddings=False,
    )
    Qwen2ForCausalLM(config).save_pretrained(folder)
    return folder


def trl_trainer(folder: Path, out: Path, **options: Any):
    from datasets import Dataset
    from transformers import AutoTokenizer, Qwen2ForCausalLM
    from trl import GRPOConfig, GRPOTrainer

    arguments = GRPOConfig(
        output_dir=str(out),
        per_device_train_batch_size=4,
        num_generations=4,
        max_completion_length=7,
        report_to="none",
        use_cpu=True,
        bf16=False,
        temperature=TEMPERATURE,
        disable_dropout=True,
        gradient_checkpointing=False,
        **options,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = GRPOTrainer(
            model=Qwen2ForCausalLM.from_pretrained(folder, dtype=torch.float32),
            reward_funcs=lambda completions, **_: [0.0] * len(completions),
            args=arguments,
            train_dataset=Dataset.from_dict({"prompt": ["w1 w2"] * 8}),
            processing_class=AutoTokenizer.from_pretrained(folder),
        )
    trainer.current_gradient_accumulation_steps = 1
    return trainer


def batch() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    prompt = torch.randint(0, 61, (4, 5), generator=generator)
    completion = torch.randint(0, 61, (4, 7), generator=generator)
    prompt_mask, mask = torch.ones(4, 5, dtype=torch.long), torch.zeros(4, 7, dtype=torch.long)
    prompt[1, :2], prompt_mask[1, :2] = 61, 0
    for row, length in enumerate((7, 4, 6, 2)):
        mask[row, :length], completion[row, length:] = 1, 61
    return {
        "prompt_ids": prompt,
        "prompt_mask": prompt_mask,
        "completion_ids": completion,
        "completion_mask": mask,
        "advantages": torch.tensor([1.2, -0.7, 0.3, -0.8]),
    }


def own_logprobs(model, inputs) -> torch.Tensor:
    ids = torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], 1)
    attention = torch.cat([inputs["prompt_mask"], inputs["completion_mask"]], 1)
    logits = model(input_ids=ids, attention_mask=attention).logits[:, 4:-1] / TEMPERATURE
    return logits.log_softmax(-1).gather(-1, inputs["completion_ids"][..., None])[..., 0]


LENGTHS = (7, 4, 6, 2)
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "grpo": ({"loss_type": "grpo", "epsilon": 0.2}, {"variant": "grpo"}),
    "dr_grpo": ({"loss_type": "dr_grpo", "epsilon": 0.2}, {"variant": "dr_grpo", "token_budget": 7}),
    "dapo": ({"loss_type": "dapo", "epsilon": 0.2, "epsilon_high": 0.28}, {"variant": "dapo"}),
    # the mean over a micro-batch's tokens, which is the step's where it is one micro-batch
    "bnpo": ({"loss_type": "bnpo", "epsilon": 0.1, "epsilon_high": 0.3}, {"clip_low": 0.1, "clip_high": 0.3}),
    "cispo": ({"loss_type": "cispo", "epsilon_high": 1.2}, {"variant": "cispo", "ratio_cap": 1.2}),
    "gspo": (
        {"loss_type": "grpo", "importance_sampling_level": "sequence", "epsilon": 0.05, "epsilon_high": 0.08},
        {"variant": "gspo", "clip_low": 0.05, "clip_high": 0.08},
    ),
    "grpo-delta": (
        {"loss_type": "grpo", "epsilon": 0.1, "delta": 1.3},
        {"variant": "grpo", "clip_low": 0.1, "clip_high": 0.1, "ratio_cap": 1.3},
    ),
    "gspo-delta": (
        {"loss_type": "grpo", "importance_sampling_level": "sequence", "epsilon": 0.05, "delta": 1.1},
        {"variant": "gspo", "clip_low": 0.05, "clip_high": 0.05, "ratio_cap": 1.1},
    ),
}
"""For each loss, TRL's options and the settings of `[loss]` that give the same loss."""


def gradients(model, loss: torch.Tensor) -> dict[str, torch.Tensor]:
    model.zero_grad()
    loss.backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def assert_same(ours: torch.Tensor, theirs: torch.Tensor, model) -> None:
    """Compares the loss and every gradient, to 1e-6."""
    assert abs(ours.item() - theirs.item()) <= 1e-6
    expected, found = gradients(model, theirs), gradients(model, ours)
    assert found.keys() == expected.keys()
    assert len(found) > 20
    assert max(float(g.abs().max()) for g in expected.values()) > 1e-3  # there is something to compare
    for name, wanted in expected.items():
        assert (found[name] - wanted).abs().max() <= 1e-6 * max(1.0, float(wanted.abs().max())), name


def own_loss(model, inputs, engine, loss: LossSettings, reference=None):
    trained = inputs["completion_mask"].bool()
    return policy_loss(
        own_logprobs(model, inputs)[trained],
        engine[trained],
        inputs["advantages"],
        reference[trained] if reference is not None else None,
        LENGTHS,
        loss=loss,
        num_tokens=19,  # 7 + 4 + 6 + 2
        num_sequences=4,
    )


@pytest.mark.parametrize("beta", [0.0, 0.04])
@pytest.mark.parametrize("case", CASES)
def test_policy_loss_and_gradients_equal_trls(language_model: Path, tmp_path: Path, case: str, beta: float):
    options, ours = CASES[case]
    trainer = trl_trainer(language_model, tmp_path, beta=beta, **options)
    model, inputs = trainer.model, batch()
    model.train()
    noise = torch.Generator().manual_seed(3)
    with torch.no_grad():
        logprobs = own_logprobs(model, inputs)
        old = logprobs + 0.3 * torch.randn(logprobs.shape, generator=noise)
        reference = logprobs + 0.2 * torch.randn(logprobs.shape, generator=noise)
    inputs |= {"old_per_token_logps": old, "num_items_in_batch": torch.tensor(19.0)}
    if beta:
        inputs["ref_per_token_logps"] = reference
    expected = trainer._compute_loss(model, inputs)
    result = own_loss(model, inputs, old, LossSettings(beta=beta, **ours), reference if beta else None)
    assert 0 < result.sums["clipped"] < 19  # some ratios of the batch are outside the bounds
    assert_same(result.loss, expected, model)


@pytest.mark.parametrize("case", ["grpo", "dr_grpo", "dapo", "gspo", "cispo"])
def test_policy_loss_importance_weights_equal_trls(language_model: Path, tmp_path: Path, case: str):
    """Takes ratios against the learner's own log-probabilities and corrects for the engine's by truncated weights. One
    of the engine's is missing."""
    options, ours = CASES[case]
    trainer = trl_trainer(language_model, tmp_path, beta=0.04, **options)
    # the corrections that TRL makes when it samples with vLLM, without starting a vLLM
    trainer.use_vllm = trainer.vllm_importance_sampling_correction = True
    model, inputs = trainer.model, batch()
    model.train()
    noise = torch.Generator().manual_seed(3)
    with torch.no_grad():
        logprobs = own_logprobs(model, inputs)
        engine = logprobs + 0.8 * torch.randn(logprobs.shape, generator=noise)
        inputs["ref_per_token_logps"] = logprobs + 0.2 * torch.randn(logprobs.shape, generator=noise)
        engine[0, 3] = float("nan")
        weights = (logprobs - engine).exp().nan_to_num(1.0).clamp(max=2.0)
    inputs |= {
        "old_per_token_logps": logprobs,
        "importance_sampling_ratio": weights,
        "num_items_in_batch": torch.tensor(19.0),
    }
    expected = trainer._compute_loss(model, inputs)
    budget = {"token_budget": 7} if case == "dr_grpo" else {}
    loss = LossSettings(variant=ours["variant"], beta=0.04, old_logprobs="learner", **budget)
    result = own_loss(model, inputs, engine, loss, inputs["ref_per_token_logps"])
    assert result.sums["engine_truncated"] == (weights == 2.0)[inputs["completion_mask"].bool()].sum() > 0
    assert_same(result.loss, expected, model)
