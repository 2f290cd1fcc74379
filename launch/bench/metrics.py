"""Measures the evaluation's metrics and intervals on random embeddings, and the encoders on random texts.

The encoders have the shapes of those of the published evaluation, CLIP's text tower (ViT-B/32) and all-mpnet-base-v2,
and random weights.
"""

import argparse
from typing import Any

import numpy as np

from launch.bench.timing import circumstances, seconds_of
from vaserl.errors import UserError
from vaserl.evaluation.evaluate import EvaluationConfig, EvaluationRow, Reader, evaluate_captions
from vaserl.types import DIMENSIONS, Score

_NUM_WORDS = 14
_WIDTH = 512
_NUM_TEXTS = 64


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command-line options: number of vases and seed."""
    parser.add_argument("--num-vases", type=int, default=10_000, help="vases, each with two captions (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of texts and embeddings (%(default)s)")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Times the evaluation of two systems, and both encoders. Returns: seconds, texts per second, circumstances."""
    if arguments.num_vases < 3:
        raise UserError("--num-vases must be at least 3")
    rng = np.random.default_rng(arguments.seed)
    rows, vectors = _benchmark(arguments.num_vases, rng)
    given = iter(vectors)
    stated = dict.fromkeys(DIMENSIONS, "x")
    same = Reader(record=lambda record: stated, caption=lambda text: stated)
    taken = seconds_of(lambda: evaluate_captions(rows, [{}] * 2, same, lambda _: next(given), EvaluationConfig()))
    texts = [" ".join(rng.choice(["athenian", "kylix", "owl", "boar", "c."], _NUM_WORDS)) for _ in range(_NUM_TEXTS)]
    rates = {name: _NUM_TEXTS / seconds_of(lambda encode=encode: encode(texts)) for name, encode in _encoders().items()}
    return {"num_vases": arguments.num_vases, "seconds": taken, "texts_per_s": rates, **circumstances()}


def words(measured: dict[str, Any]) -> str:
    """Returns the result of `run` as text for the terminal."""
    lines = [f"two systems, {measured['num_vases']:,} vases, given embeddings: {measured['seconds']:.1f} s"]
    return "\n".join([*lines, *(f"{name}: {rate:.0f} texts/s" for name, rate in measured["texts_per_s"].items())])


def _benchmark(num_vases: int, rng: np.random.Generator) -> tuple[list[EvaluationRow], list[np.ndarray]]:
    vocabulary = np.array([f"word{n}" for n in range(2000)])

    def texts() -> list[str]:
        return [" ".join(row) for row in rng.choice(vocabulary, size=(num_vases, _NUM_WORDS))]

    references, captions = texts(), {"a": texts(), "b": texts()}
    parts = {name: rng.random((num_vases, len(DIMENSIONS))) for name in captions}
    rows = [
        EvaluationRow(
            id=str(n),
            record={},
            reference=references[n],
            captions={name: given[n] for name, given in captions.items()},
            scores={
                name: Score(total=float(values[n].mean()), parts=dict(zip(DIMENSIONS, values[n].tolist(), strict=True)))
                for name, values in parts.items()
            },
        )
        for n in range(num_vases)
    ]
    true = rng.standard_normal((num_vases, _WIDTH), dtype=np.float32)
    return rows, [true, *(true + 3 * rng.standard_normal(true.shape, dtype=np.float32) for _ in captions)]


def _encoders() -> dict[str, Any]:
    import open_clip
    import torch
    from transformers import MPNetConfig, MPNetModel

    clip: Any = open_clip.create_model("ViT-B-32-quickgelu", pretrained=None).eval()
    tokenize = open_clip.get_tokenizer("ViT-B-32-quickgelu")
    mpnet = MPNetModel(MPNetConfig()).eval()

    @torch.inference_mode()
    def of_clip(texts: list[str]) -> None:
        clip.encode_text(tokenize(texts))

    @torch.inference_mode()
    def of_mpnet(texts: list[str]) -> None:
        for text in texts:  # one at a time, as vaserl.encoders.sentence does
            mpnet(input_ids=torch.full((1, 2 + 2 * len(text.split())), 7))

    return {"CLIP ViT-B/32, text tower": of_clip, "all-mpnet-base-v2": of_mpnet}
