"""Our loss and gradients against TRL 1.16's on the same batch and model, with ragged lengths, clipping and KL."""

import warnings
from pathlib import Path

import pytest
import torch

from vaserl.grpo import policy_loss

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


def trl_trainer(folder: Path, out: Path, *, beta: float):
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
        beta=beta,
        loss_type="dapo",  # token-level mean over the whole step
        epsilon=0.2,
        epsilon_high=0.28,
        temperature=TEMPERATURE,
        disable_dropout=True,
        gradient_checkpointing=False,
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


@pytest.mark.parametrize("beta", [0.0, 0.04])
def test_loss_and_gradients_are_trls(language_model: Path, tmp_path: Path, beta: float):
    trainer = trl_trainer(language_model, tmp_path, beta=beta)
    model, inputs = trainer.model, batch()
    model.train()
    noise = torch.Generator().manual_seed(3)
    with torch.no_grad():
        logprobs = own_logprobs(model, inputs)
        inputs["old_per_token_logps"] = logprobs + 0.3 * torch.randn(logprobs.shape, generator=noise)
        if beta:
            inputs["ref_per_token_logps"] = logprobs + 0.2 * torch.randn(logprobs.shape, generator=noise)
    inputs["num_items_in_batch"] = inputs["completion_mask"].sum().float()
    expected = trainer._compute_loss(model, inputs)
    model.zero_grad()
    expected.backward()
    expected_gradients = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}

    model.zero_grad()
    trained = inputs["completion_mask"].bool()
    result = policy_loss(
        own_logprobs(model, inputs)[trained],
        inputs["old_per_token_logps"][trained],
        inputs["advantages"][:, None].expand(4, 7)[trained],
        inputs["ref_per_token_logps"][trained] if beta else None,
        num_loss_tokens=19,  # 7 + 4 + 6 + 2
        clip_low=0.2,
        clip_high=0.28,
        beta=beta,
    )
    result.loss.backward()

    assert result.clipped_sum > 0  # the batch exercises the clip
    assert abs(result.loss.item() - expected.item()) <= 1e-6
    compared = 0
    for name, parameter in model.named_parameters():
        if parameter.grad is None:
            continue
        wanted = expected_gradients[name]
        assert (parameter.grad - wanted).abs().max() <= 1e-6 * max(1.0, float(wanted.abs().max())), name
        compared += 1
    assert compared == len(expected_gradients) > 20
