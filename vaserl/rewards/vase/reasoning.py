"""Removes what a model writes before its answer: thoughts in tags, "Let me look…", and everything before "Answer:"."""

import re


def without_reasoning(text: str) -> str:
    """Returns the answer in a text. A text whose thoughts don't end has no answer, and the result is empty.

    Example: "<think>A black-figure cup? No.</think> A red-figure cup." becomes " A red-figure cup."
    """
    if "<" in text:
        ends = list(_CLOSED.finditer(text))
        if ends:
            text = text[ends[-1].end() :]
        opened = _OPENED.search(text)
        if opened:
            text = text[: opened.start()]
    lowered = text.lower()
    if ":" in text and any(map(lowered.__contains__, _ANSWER_HINTS)):
        answers = list(_ANSWER.finditer(text))
        if answers:
            text = text[answers[-1].end() :]
    if any(map(lowered.__contains__, _THOUGHT_HINTS)):
        text = _THOUGHT.sub(r"\1", _THOUGHT_LINE.sub("", text))
    return text


_TAGS = r"(?:think|thinking|thought|reasoning|analysis|reflection|scratchpad)"
_CLOSED = re.compile(rf"</{_TAGS}>", re.IGNORECASE)
_OPENED = re.compile(rf"<{_TAGS}>", re.IGNORECASE)
_ANSWER_HINTS = ("answer", "final caption", "final description", "here is", "here's", "caption:")
_ANSWER = re.compile(
    r"(?:(?:^|[\n.!])[ #*>]*(?:so,? |therefore,? |thus,? )?(?:(?:the|my) )?"
    r"(?:final answer|answer|final caption|final description|caption)(?: is)?(?:\*\*)? ?:(?:\*\*)?"
    r"|(?:^|[\n.!]) ?(?:sure|certainly|of course|okay|ok)?[,!. ]{0,3}here(?: is|'s) (?:a|the|my) [^.:\n]{0,80}:)",
    re.IGNORECASE,
)
_THOUGHT_HINTS = (
    "let me",
    "let's",
    "okay",
    "hmm",
    "wait",
    "i need to",
    "i should",
    "the user",
    "i will",
    "i'll",
    "i'm go",
)
_BEGINS = (
    r"(?:first,? |now,? |so,? |alright,? )?"
    r"(?:let me|let's|okay|ok,|hmm|wait|i need to|i should|i will|i'll|i'm going to|the user)\b"
)
# A line that begins with a thought is one; within a line, the sentence is.
_THOUGHT_LINE = re.compile(rf"^[ \t]{{0,8}}{_BEGINS}[^\n]*\n", re.IGNORECASE | re.MULTILINE)
_THOUGHT = re.compile(rf"((?:^|[\n.!?])\s{{0,8}}){_BEGINS}[^.!?\n]{{0,400}}[.!?\n…]", re.IGNORECASE)
