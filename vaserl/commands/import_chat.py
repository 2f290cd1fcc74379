"""vaserl import-chat FILE: imports conversations about videos or pictures of vases."""

import argparse
import shlex
from pathlib import Path


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the subcommand `import-chat` with its arguments to the `vaserl` command."""
    parser = verbs.add_parser(
        "import-chat",
        help="import conversations about videos or pictures of vases, without curation",
        description="FILE is JSON lines, JSON or parquet, or a folder of `datasets`, with a row for each vase: "
        "messages of user and assistant, or a question and an answer, and a video or pictures. Paths are relative to "
        "the file.",
    )
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--out", type=Path, required=True, metavar="DATASET", help="folder of the data set to write")
    parser.add_argument("--num-frames", type=int, default=16, help="frames of a clip, evenly spaced (%(default)s)")
    parser.add_argument(
        "--resolution",
        type=int,
        default=224,
        help="width and height of a frame, in pixels (%(default)s)",
    )
    parser.add_argument("--num-val", type=int, default=0, help="training vases to use for validation (%(default)s)")
    parser.add_argument("--num-test", type=int, default=0, help="training vases to use for testing (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed for drawing splits (%(default)s)")


def run(arguments: argparse.Namespace) -> int:
    """Writes the imported data set. Prints each rejected vase with the reason, the numbers of vases, and the prompt to
    set for training.

    Returns: exit code 1 if a vase was rejected, else 0.
    """
    from vaserl.curation.chat import import_chats
    from vaserl.dataset import DataSet

    done = import_chats(
        arguments.file,
        DataSet(arguments.out),
        num_frames=arguments.num_frames,
        resolution=arguments.resolution,
        num_val=arguments.num_val,
        num_test=arguments.num_test,
        seed=arguments.seed,
    )
    for name, reason in done.rejected.items():
        print(f"{name}: {reason}")
    vases = ", ".join(f"{number:,} {split}" for split, number in done.num_vases.items()) or "none"
    print(f"vases: {vases}; rejected: {len(done.rejected):,}")
    if done.systems and list(done.systems) != [""]:
        print(f"system message, in every job: --data.system {shlex.quote(next(iter(done.systems)))}")
    if len(done.systems) > 1:
        print(f"the conversations have {len(done.systems):,} different system messages; a run has one, data.system")
    print(f"records read from captions because there is none: {done.num_records_from_texts:,}")
    if done.num_decorations_only:
        print(f"of these, {done.num_decorations_only:,} state a decoration alone: do these captions describe vases?")
    for prompt in list(done.prompts)[:1]:
        print(f"prompt, in every job: --data.prompt {shlex.quote(prompt)}")
    if len(done.prompts) > 1:
        print(f"the conversations begin with {len(done.prompts):,} different questions; training uses one, data.prompt")
    return int(bool(done.rejected))
