"""Tests the batch that a step assembles from its groups against numbers by hand."""

import pytest

from tests.fakes.scored_by_hand import scored
from vaserl.grpo.advantage import advantages
from vaserl.grpo.batch import assemble


def test_assemble_leaves_out_groups_without_signal():
    groups = [scored([1.0, 1.0]), scored([0.0, 1.0])]
    batch = assemble(groups, advantages(groups), step=4)
    assert (batch.step, len(batch.groups), batch.num_loss_tokens) == (4, 1, 4)
    assert [s.advantage for s in batch.groups[0].samples] == pytest.approx([-0.70700678, 0.70700678], abs=1e-7)
    assert len(assemble(groups[:1], [(0.0, 0.0)], step=1, keep_without_signal=True).groups) == 1


def test_assemble_masks_truncated_completions_that_count_in_the_baseline():
    group = scored([0.0, 1.0, 2.0], truncated=(2,))
    found = advantages([group], normalise=False)
    assert found == [(-1.0, 0.0, 1.0)]  # the mean is that of all three
    kept = assemble([group], found, step=1)
    assert (kept.num_sequences, kept.num_loss_tokens) == (3, 6)
    masked = assemble([group], found, step=1, mask_truncated=True)
    assert [s.advantage for s in masked.groups[0].samples] == [-1.0, 0.0]
    assert (masked.num_sequences, masked.num_loss_tokens) == (2, 4)  # they leave both denominators


def test_assemble_leaves_out_groups_of_masked_completions():
    gone = scored([0.0, 1.0], truncated=(0, 1))
    for keep in (False, True):
        batch = assemble([gone], advantages([gone]), step=1, mask_truncated=True, keep_without_signal=keep)
        assert (batch.groups, batch.num_loss_tokens, batch.num_sequences) == ((), 0, 0)
    # one completion of this group stays, but its advantage is 0
    dull = scored([1.0, 0.0, 2.0], truncated=(1, 2))
    assert assemble([dull], advantages([dull]), step=1, mask_truncated=True).groups == ()
