"""Example of a reward that calls a service over HTTP.

POST {"prompt", "caption", "reference"} is answered by {"score": number}. A service that is down, overloaded (5xx, 429)
or silent is called again, as [reward.remote.HttpJudge] configures; any other answer is a fault that stops the run.
"""

import json
import urllib.error
import urllib.request

from vaserl.rewards import Unavailable
from vaserl.types import Completion, Score, Task


class HttpJudge:
    """A service behind a URL that scores captions."""

    def __init__(self, url: str, socket_timeout_s: float = 60.0):
        """socket_timeout_s: ends the threads of abandoned calls."""
        self._url, self._socket_timeout_s = url, socket_timeout_s

    def check(self) -> None:
        """Raises Unavailable if nothing answers at the URL. Called once on each node before the run starts."""
        try:
            urllib.request.urlopen(self._url, timeout=5).close()
        except urllib.error.HTTPError as error:  # an answer: GET is not what the service is for
            error.close()
        except (urllib.error.URLError, OSError) as error:
            raise Unavailable(f"{self._url}: {getattr(error, 'reason', error)}") from error

    def __call__(self, task: Task, completion: Completion) -> Score:
        """Returns the service's score, also as part "judge"."""
        question = {"prompt": task.prompt, "caption": completion.text, "reference": task.reference}
        request = urllib.request.Request(
            self._url, data=json.dumps(question).encode(), headers={"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=self._socket_timeout_s) as response:
                score = float(json.load(response)["score"])
        except urllib.error.HTTPError as error:
            error.close()
            if error.code >= 500 or error.code == 429:
                raise Unavailable(f"{self._url} answered {error.code}") from error
            raise
        except urllib.error.URLError as error:
            raise Unavailable(f"{self._url}: {error.reason}") from error
        return Score(total=score, parts={"judge": score})
