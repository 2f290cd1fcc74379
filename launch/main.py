"""The command line of every job that reads a config file."""

import argparse
import errno
import importlib
import signal
import sys
import textwrap
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from launch.interruption import Interruption, remembering_interrupts
from launch.jobs import JOBS
from vaserl.errors import USER_ERROR_EXIT, NonFiniteError, ParityError, RewardError, UserError
from vaserl.planning.hardware import parse_cluster
from vaserl.planning.requests import role_requests
from vaserl.planning.seat_table import seats_in_words
from vaserl.settings import EvaluateSettings, Section, SftSettings, TrainSettings, dump_config, load_config
from vaserl.settings.keys import key_tables

PLACED = (TrainSettings, SftSettings, EvaluateSettings)
"""Settings of the jobs whose actors are placed on a cluster all at once."""
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
_MEANING_WIDTH = 76
_KEY_WIDTH = 42
_CHECK_FAILED_EXIT = 1


def start_job(
    name: str,
    argv: Sequence[str] | None = None,
    *,
    around: Callable[[Section], AbstractContextManager[None]] = lambda settings: nullcontext(),
) -> int:
    """Runs the job `name`. `argv` contains the path of the config file, `--with` options with further config files
    whose values replace those of that file, and `--section.key value` options that override single values. around:
    called with the job's settings; the job runs inside the context manager that it returns.

    Returns: exit code 0, or with `--gate` that of the comparison; 2 after a UserError or if a disk is full, 1 if engine
    and learner disagree or several steps were not finite, all with the message and no traceback; 128 + the signal's
    number after SIGTERM or Ctrl-C. Other exceptions are not caught.
    """
    job = JOBS[name]
    arguments, overrides = read_arguments(name, argv)
    from launch.hub_model import fetch_hub_model  # it loads pyarrow, which --help does not need

    try:
        settings = load_config(
            settings_class(name), arguments.config, overrides, overlays=arguments.overlays, prepare=fetch_hub_model
        )
        if getattr(arguments, "cluster", None) and isinstance(settings, PLACED):
            if not arguments.dry_run:
                raise UserError("--cluster describes a cluster for --dry-run; a job runs on the one in cluster.address")
            nodes = parse_cluster(arguments.cluster).nodes
            print(seats_in_words(role_requests(settings), nodes), file=sys.stderr)
        if arguments.dry_run:
            print(dump_config(settings), end="")
        else:
            options = {"fresh": arguments.fresh} if job.resumes else {}
            options |= {"action": arguments.action} if job.actions else {}
            module = importlib.import_module(job.module)
            with remembering_interrupts(), around(settings):
                result = module.run(settings, **options)
            if job.gates and arguments.gate:
                return module.gate_exit_code(settings, result)
    except Interruption as interruption:
        return interruption.exit_code
    except KeyboardInterrupt:  # Ctrl-C before the job was ready to be interrupted
        return Interruption(signal.SIGINT).exit_code
    except RewardError as error:
        print(
            f"error: {error}\nThe run stops: it would learn from any score put in place of this one.", file=sys.stderr
        )
        return USER_ERROR_EXIT
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return USER_ERROR_EXIT
    except (ParityError, NonFiniteError) as error:
        print(f"error: {error}", file=sys.stderr)
        return _CHECK_FAILED_EXIT
    except OSError as error:
        if error.errno not in _DISK_FULL:
            raise
        advice = "Free some space; the same command then continues" if job.resumes else "Free some space"
        print(f"error: {error}. {advice}", file=sys.stderr)
        return USER_ERROR_EXIT
    return 0


def read_arguments(name: str, argv: Sequence[str] | None = None) -> tuple[argparse.Namespace, list[str]]:
    """Parses the command line of the job `name`. Returns: the options, and the overrides of settings."""
    job, kind = JOBS[name], settings_class(name)
    parser = argparse.ArgumentParser(
        prog=f"python -m launch {name}",
        usage=f"python -m launch {name}{' ACTION' * bool(job.actions)} [--dry-run]{' [--fresh]' * job.resumes} CONFIG "
        "[--with FILE …] [--section.key VALUE …]",
        description=f"{job.line[0].upper()}{job.line[1:]}. Example of a CONFIG: {job.example}",
        epilog=_keys_as_text(kind),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,  # launch/submit removes --fresh from a retried command, so it must be spelled out
    )
    if job.actions:
        parser.add_argument("action", choices=job.actions, metavar="ACTION", help=f"one of {', '.join(job.actions)}")
    parser.add_argument("config", type=Path, metavar="CONFIG", help="TOML file")
    parser.add_argument(
        "--with",
        dest="overlays",
        type=Path,
        metavar="FILE",
        action="append",
        default=[],
        help="TOML file whose values replace those of CONFIG, for example the settings for a cluster; may be repeated",
    )
    parser.add_argument("--dry-run", action="store_true", help="print CONFIG with overrides and defaults, and stop")
    if issubclass(kind, PLACED):
        parser.add_argument("--cluster", help="with --dry-run: who sits where on such a cluster: 8x8xa100-80")
    if job.resumes:
        parser.add_argument("--fresh", action="store_true", help="set an earlier run in run_dir aside and start again")
    if job.gates:
        parser.add_argument("--gate", action="store_true", help="exit code 0 if better, 1 if worse, 2 if undecided")
    return parser.parse_known_args(argv)


def settings_class(name: str) -> type[Section]:
    """Returns the settings class of the job `name`, without importing the job's module."""
    module, _, kind = (JOBS[name].settings or "").partition(":")
    return getattr(importlib.import_module(module), kind)


def _keys_as_text(kind: type[Section]) -> str:
    """Returns the list of settings for `--help`: each key with its default and, on the next line, the first sentence of
    the key's docstring."""
    lines = ["keys, each with its default; docs/configuration.md explains them in full:"]
    for table in key_tables(kind):
        for key in table.keys:
            name = f"--{table.path}.{key.name}" if table.path else f"--{key.name}"
            sentence = key.meaning.split(". ")[0].split(".\n")[0]
            lines.append(f"  {name:{_KEY_WIDTH}} {textwrap.shorten(key.default, _MEANING_WIDTH, placeholder=' …')}")
            lines.append(f"      {textwrap.shorten(sentence, _MEANING_WIDTH + _KEY_WIDTH - 4, placeholder=' …')}")
    return "\n".join(lines)
