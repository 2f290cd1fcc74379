"""Client of the job server of a Ray cluster, which is part of the cluster's dashboard."""

import logging
import os
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from launch.submit.attempt import Attempt
from launch.submit.authentication import AUTH_MODE, auth_mode
from launch.submit.tail import Tail
from vaserl.errors import UserError

_OUTPUT = "vaserl_output"
_CONNECT_TIMEOUT_S = 5.0
_ANSWER_TIMEOUT_S = 60.0
_UPLOAD_TIMEOUT_S = 300.0
_RECONNECT_FOR_S = 60.0
_END_TIMEOUT_S = 30.0
_QUIET_TIMEOUT_S = 120.0
_POLL_S = 0.5
_MAX_POLL_S = 10.0
_POLL_SHARE = 0.02
"""Time between two questions for a job's state, as a share of the time since the first of them."""


def _connect(address: str) -> Any:
    _check_port(address)
    # read by Ray when it is imported; without the mode it sends no token
    os.environ[AUTH_MODE] = auth_mode(os.environ)
    os.environ["RAY_API_SERVER_ADDRESS"] = address  # stronger than the argument, if it is set
    from ray.job_submission import JobSubmissionClient

    for module in ("dashboard_sdk", "job.sdk"):
        logging.getLogger(f"ray.dashboard.modules.{module}").setLevel(logging.WARNING)

    class PatientClient(JobSubmissionClient):
        def _do_request(self, method: str, endpoint: str, **options: Any) -> Any:
            # Ray itself waits without limit. The time to connect also limits the sending of the whole body
            send_s = _CONNECT_TIMEOUT_S if options.get("data") is None else _UPLOAD_TIMEOUT_S
            return super()._do_request(method, endpoint, timeout=(send_s, _ANSWER_TIMEOUT_S), **options)

    return PatientClient(address)


def _check_port(address: str) -> None:
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:  # no number, or one that is no port
        parts, host, port = None, None, 0
    if parts is None or not host or parts.scheme not in ("http", "https"):
        raise UserError(
            f"the cluster's address {address!r} must be the URL of its dashboard, such as http://127.0.0.1:8265. Set "
            "--address or RAY_API_SERVER_ADDRESS"
        )
    try:
        socket.create_connection((host, port), _CONNECT_TIMEOUT_S).close()
    except OSError as error:
        raise UserError(
            f"nothing answers at {address} ({error}). Start the cluster, or open a tunnel to its dashboard "
            "(ssh -L 8265:127.0.0.1:8265 HEAD), and set --address or RAY_API_SERVER_ADDRESS"
        ) from error


class OutputError(Exception):
    """The text of a job can't be passed on: the terminal or pipe is closed, or the disk is full."""


class JobServer:
    """Client of a job server. Every method raises UserError if the server can't be reached or refuses the token."""

    def __init__(self, address: str, connect: Callable[[str], Any] = _connect):
        """address: URL of the cluster's dashboard, such as http://127.0.0.1:8265. connect: returns Ray's client of the
        job server at an address."""
        self._address = address.rstrip("/")
        self._client = self._asked(lambda: connect(self._address))

    def attempts(self) -> list[Attempt]:
        """Returns all jobs that were submitted to the cluster."""
        jobs = self._asked(lambda: self._client.list_jobs())
        return [_attempt(job) for job in jobs if job.submission_id]

    def submit(self, submission_id: str, entrypoint: str, environment: Mapping[str, Any], output: str) -> None:
        """Starts a job. Raises: UserError if the cluster has a job with this id.

        entrypoint: shell command. environment: Ray's runtime environment. output: folder that the run writes to.
        """
        self._asked(
            lambda: self._client.submit_job(
                entrypoint=entrypoint,
                submission_id=submission_id,
                runtime_env=dict(environment),
                metadata={_OUTPUT: output},
            )
        )

    def attempt(self, submission_id: str) -> Attempt:
        """Returns the present state of a job."""
        return _attempt(self._asked(lambda: self._client.get_job_info(submission_id)))

    def stop(self, submission_id: str) -> None:
        """Sends SIGTERM to a job; after the grace time of its environment Ray kills it. Returns at once."""
        self._asked(lambda: self._client.stop_job(submission_id))

    def wait(self, submission_id: str, timeout_s: float) -> Attempt:
        """Waits until a job has ended. Returns: its state, at the latest after the time-out."""
        deadline = time.monotonic() + timeout_s
        while (attempt := self.attempt(submission_id)).is_alive and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        return attempt

    def last_lines(self, submission_id: str, num_lines: int) -> list[str]:
        """Returns the last lines that a job printed."""
        return self._all_output(submission_id).splitlines()[-num_lines:]

    def follow(self, submission_id: str, write: Callable[[str], object]) -> Attempt:
        """Passes what a job prints, from its beginning, to `write` until the job has ended. Returns: its last state.

        A lost connection is taken up again. Raises: UserError if that fails for a minute, OutputError if `write` raises
        an OSError.
        """
        from aiohttp import ClientError

        output = _Output(write)
        lost_since: float | None = None
        while True:
            num_before = output.num_written
            try:
                with Tail(self._client.tail_job_logs(submission_id)) as tail:
                    has_ended = self._pass_on(submission_id, tail, output)
                attempt = self.wait(submission_id, _END_TIMEOUT_S if has_ended else 0)
                if not attempt.is_alive:
                    if not has_ended:
                        self._pass_on_rest(submission_id, output)
                    return attempt
                lost_since = None
            except (UserError, OSError, RuntimeError, ClientError) as error:
                if (ended := self._ended(submission_id, output)) is not None:
                    return ended
                now = time.monotonic()
                lost_since = now if lost_since is None or output.num_written > num_before else lost_since
                if now - lost_since > _RECONNECT_FOR_S:
                    raise UserError(
                        f"no answer from {self._address} for {_RECONNECT_FOR_S:g} s ({error}). Whether job "
                        f"{submission_id} goes on is unknown. Submit the same command again when the cluster answers: "
                        "it continues the run, or says that the job is still running"
                    ) from error
                time.sleep(_POLL_S)

    def _pass_on(self, submission_id: str, tail: Tail, output: "_Output") -> bool:
        """Passes on what the job prints. Returns: True at the end of its output, False if the job has ended before
        that, or if nothing came for a while.

        The server ends the stream seconds after the job, so the job's state is asked for while nothing comes.
        """
        position = 0  # the server sends the text from its beginning, also to a client that comes back
        began = quiet_since = time.monotonic()
        while (text := tail.read(_pause_s(time.monotonic() - began))) is not None:
            if text:
                output.add(text, position)
                position += len(text)
                quiet_since = time.monotonic()
            elif time.monotonic() - quiet_since > _QUIET_TIMEOUT_S or not self.attempt(submission_id).is_alive:
                return False  # the connection may be dead
        return True

    def _ended(self, submission_id: str, output: "_Output") -> Attempt | None:
        """Returns the state of a job that has ended, after passing on the rest of its output; None if the job goes on,
        or if the server does not answer."""
        try:
            attempt = self.attempt(submission_id)
        except UserError:  # the connection is lost, as the caller knows
            return None
        if attempt.is_alive:
            return None
        self._pass_on_rest(submission_id, output)
        return attempt

    def _pass_on_rest(self, submission_id: str, output: "_Output") -> None:
        try:
            text = self._all_output(submission_id)
        except UserError as error:
            output.write(f"submit: the rest of the output of job {submission_id} can't be read: {error}\n")
        else:
            output.add(text, 0)

    def _all_output(self, submission_id: str) -> str:
        return self._asked(lambda: self._client.get_job_logs(submission_id))

    def _asked(self, request: Callable[[], Any]) -> Any:
        try:
            return request()
        except Exception as error:
            if (known := self._explained(error)) is None:
                raise
            raise known from error

    def _explained(self, error: Exception) -> UserError | None:
        from ray.exceptions import AuthenticationError  # not before the request: `_connect` prepares the import of Ray

        if isinstance(error, AuthenticationError):
            return UserError(
                f"the cluster at {self._address} refuses this machine ({AUTH_MODE} = {os.environ.get(AUTH_MODE)}): "
                f"{str(error).strip().splitlines()[0]}\n"
                "  Each machine of a cluster and each client needs RAY_AUTH_MODE=token and the cluster's token, in the "
                "file that RAY_AUTH_TOKEN_PATH names, or in ~/.ray/auth_token.\n"
                "  Copy the token file of the head node (mode 600). docs/cluster.md has every start path"
            )
        if isinstance(error, OSError):
            return UserError(f"{self._address}: {error}. Is the cluster up, and the address that of its dashboard?")
        if isinstance(error, RuntimeError):  # how Ray's client reports every other answer
            return UserError(f"{self._address}: {str(error).strip().splitlines()[-1][:500]}")
        return None


class _Output:
    """Text of a job, of which each part is passed on once."""

    def __init__(self, write: Callable[[str], object]):
        self._write = write
        self.num_written = 0

    def add(self, text: str, position: int) -> None:
        """Passes on what is new of the text that begins at a position of the whole."""
        new = text[max(0, self.num_written - position) :]
        if new:
            self.write(new)
            self.num_written = position + len(text)

    def write(self, text: str) -> None:
        """Passes on a text. Raises: OutputError."""
        try:
            self._write(text)
        except OSError as error:
            raise OutputError(str(error)) from error


def _pause_s(age_s: float) -> float:
    """Returns the time until the next question for a job's state: short for a job that may end at once, which is a
    mistake found by its checks, and longer for one that has been followed for `age_s`."""
    return min(_MAX_POLL_S, max(_POLL_S, _POLL_SHARE * age_s))


def _attempt(job: Any) -> Attempt:
    return Attempt(
        id=job.submission_id,
        output=(job.metadata or {}).get(_OUTPUT, ""),
        status=str(getattr(job.status, "value", job.status)),
        driver_exit_code=job.driver_exit_code,
        message=job.message or "",
    )
