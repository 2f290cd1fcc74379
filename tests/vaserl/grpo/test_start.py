"""Tests with fakes that a loop which begins after a checkpoint records what the uninterrupted loop does."""

from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.causal_parts import Engines, EveryOther, Recorder, continued, run

PACE = st.lists(st.integers(0, 3), max_size=20)


def steps_after(lines, step):
    """Returns the recorded lines of the steps after a step, and the weights at the end."""
    return [line for line in lines[:-1] if (line[1] if line[0] == "keep" else line[0]) > step] + lines[-1:]


@given(data=st.data(), num_steps=st.integers(1, 7), bound=st.sampled_from([None, 0, 1, 2, 4]), pace=PACE)
def test_continued_loop_records_the_steps_of_the_uninterrupted_loop(data, num_steps, bound, pace):
    max_refills, limit = data.draw(st.integers(0, 2)), data.draw(st.floats(0, 4))
    validation = EveryOther(limit)
    lines, _ = run(bound, num_steps, max_refills=max_refills, validation=validation)
    num_taken = lines[-1].version - 1  # fewer than num_steps if the validation stopped the run
    after_step = data.draw(st.integers(0, num_taken))
    earlier = validation.results[: after_step // 2 + 1] if after_step else ()  # step 0 is validated again
    again, _ = continued(
        bound,
        num_steps,
        lines,
        after_step,
        max_refills=max_refills,
        engines=Engines(pace),
        validation=EveryOther(limit, earlier),
    )
    assert again == steps_after(lines, after_step if after_step else -1)


def test_continued_overlapped_loop_needs_the_earlier_weights():
    """Shows that the law above can fail: with the earlier version missing, the newest one samples the first step."""
    lines, _ = run(1, 5)
    with_earlier, _ = continued(1, 5, lines, 2)
    without, _ = continued(1, 5, lines, 2, num_earlier=0)
    assert with_earlier == steps_after(lines, 2) != without


class PhaseRecorder(Recorder):
    """A fake recorder of the phases "publish"."""

    def __init__(self):
        super().__init__()
        self.published: list[int] = []

    def phase(self, step, name):
        if name == "publish":
            self.published.append(step)
        return super().phase(step, name)


def test_continued_overlapped_loop_records_the_publications_that_it_repeats(monkeypatch):
    """The job was killed when step 3 was recorded, and the engines perhaps served its weights not yet."""
    recorder = PhaseRecorder()
    monkeypatch.setattr("tests.fakes.causal_parts.Recorder", lambda: recorder)
    lines, _ = run(2, 5)
    assert recorder.published == [1, 2, 3, 4, 5]
    recorder.published.clear()
    continued(2, 5, lines, 3)
    assert recorder.published == [1, 2, 3, 4, 5]  # the weights after steps 1 to 3 sample steps 4 and 5
    recorder.published.clear()
    continued(2, 5, lines, 1)
    assert recorder.published == [1, 2, 3, 4, 5]
