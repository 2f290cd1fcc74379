"""Tests the effects of the reward's settings, and the settings that are rejected."""

import pytest
from pydantic import ValidationError

from tests.fakes.reward_cases import RECORD, score
from vaserl.errors import UserError
from vaserl.rewards.vase import RewardConfig, RewardContext, fit_word_weights, reward_config
from vaserl.rewards.vase.reward_file import read_reward
from vaserl.types import DIMENSIONS


def test_config_missing_target_is_dropped_or_counts_zero():
    record = {"Fabric": "ATHENIAN", "Technique": "BLACK-FIGURE"}
    text = "This is an Athenian red-figure vase."
    # Fabric and technique weigh the same: half of what there is, or 0.2 of the whole.
    for missing, expected in (("drop", 0.5), ("zero", 0.2)):
        result = score(record, text, config=RewardConfig(missing=missing))
        assert result.total - result.parts["bonus"] == pytest.approx(expected)
        assert result.parts["has_target/shape"] == 0
        assert "shape" not in result.parts


def test_config_defaults_are_those_of_version_2():
    config = RewardConfig()
    assert config.version == "vase-reward/2"
    assert [config.weights[d] for d in DIMENSIONS] == [0.2, 0.2, 0.15, 0.15, 0.2, 0.1]
    assert config.tau == 0.7


@pytest.mark.parametrize(
    "settings",
    [
        {"tua": 0.7},
        {"tau": 1.5},
        {"tau": "0.7"},
        {"weights": {"colour": 1.0}},
        {"weights": dict.fromkeys(DIMENSIONS, 0.0)},
        {"similarity": "embedding"},
        {"encoder": "some/model"},
        {"length_free_words": 120},
        {"question_full_words": 20},
        {"version": "vase-reward/1"},
        {"version": "vase-reward/3"},
    ],
)
def test_config_refuses_inconsistent_settings(settings):
    with pytest.raises(ValidationError):
        RewardConfig.model_validate(settings)


def test_config_embedding_compares_decoration_and_attribution():
    config = RewardConfig(similarity="embedding", encoder="toy")
    # A toy encoder with two features: the text names a fighter, the text names a painter.
    context = RewardContext(
        encode=lambda texts: [(float("warrior" in t or "hoplite" in t), float("painter" in t)) for t in texts]
    )
    parts = score(RECORD, "Vase depicting a hoplite, by the Pan Painter", config=config, context=context).parts
    assert (parts["decoration"], parts["attribution"]) == (1, 1)
    assert score(RECORD, "Vase depicting a hoplite, by the Pan Painter").parts["decoration"] == 0
    with pytest.raises(ValueError, match="encode"):
        score(RECORD, "Vase depicting a hoplite", config=config)


def test_word_weights_make_rare_words_count_more():
    weights, unseen = fit_word_weights([RECORD] * 9 + [{"Decoration": "LION"}])
    context = RewardContext(word_weights=weights, unseen_weight=unseen)
    record = RECORD | {"Decoration": "WARRIOR AND LION"}
    common, rare = (
        score(record, f"Vase, depicting a {word}", context=context).parts["raw/decoration"]
        for word in ("warrior", "lion")
    )
    assert common < 2 / 3 < rare


@pytest.mark.parametrize("text", ['version = "vase-reward/1"\ntau = 0.6\n', None])
def test_read_reward_reads_constants_of_version_1_and_says_so(text: str | None, tmp_path, capsys):
    file = tmp_path / "config.toml"
    table = '[reward.arguments.VaseReward]\nversion = "vase-reward/1"\ntau = 0.6\n'
    file.write_text(text or table)
    settings = read_reward(file)
    assert settings.arguments == {"VaseReward": {"tau": 0.6}}
    assert "constants are of vase-reward/1; the scores computed here are of vase-reward/2" in capsys.readouterr().err


def test_reward_config_explains_an_earlier_version():
    with pytest.raises(UserError, match="of vase-reward/1, and this vaserl scores with vase-reward/2; delete"):
        reward_config({"version": "vase-reward/1"})
