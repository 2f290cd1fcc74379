"""Captions of vases by a model behind a URL, which is shown frames of the turntable video as pictures."""

from collections.abc import Sequence
from typing import Any

from vaserl.files.clip import ClipStore
from vaserl.policy.chat_client import ChatClient, picture_part
from vaserl.runs.caption_store import SystemAnswer
from vaserl.types import Task


def served_answers(client: ChatClient, clips: ClipStore, tasks: Sequence[Task], num_frames: int) -> list[SystemAnswer]:
    """Asks a server all tasks at once, and returns its answers in order. Each message has `num_frames` frames of the
    turntable, evenly spaced over one turn, as PNG, and then the task's prompt.

    An answer that the server does not deliver is a failure with its reason.
    """
    replies = client.ask_all([_content(clips, task, num_frames) for task in tasks])
    return [
        SystemAnswer(
            text=reply.text,
            failure=reply.problem or ("" if reply.text else "an empty answer"),
            finish_reason=reply.finish_reason,
        )
        for reply in replies
    ]


def _content(clips: ClipStore, task: Task, num_frames: int) -> list[dict[str, Any]]:
    pictures = [picture_part(frame) for frame in clips.load(task.clip, num_frames).frames]
    return [*pictures, {"type": "text", "text": task.prompt}]
