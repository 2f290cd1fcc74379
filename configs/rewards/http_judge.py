"""Example of a reward function that calls a service over HTTP.

POST {"prompt", "caption", "reference"} is answered by {"score": number}. A service that is down, overloaded (5xx, 429)
or silent is called again, as [reward.remote.http_judge] configures; any other answer is a fault that stops the run.
"""

import json
import urllib.error
import urllib.request

from vaserl.rewards import Unavailable
from vaserl.types import Completion, Score, Task


def http_judge(task: Task, completion: Completion, url: str, socket_timeout_s: float = 60.0) -> Score:
    """Returns the service's score, also as part "judge". The socket's time-out ends the threads of abandoned calls."""
    question = {"prompt": task.prompt, "caption": completion.text, "reference": task.reference}
    request = urllib.request.Request(
        url, data=json.dumps(question).encode(), headers={"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=socket_timeout_s) as response:
            score = float(json.load(response)["score"])
    except urllib.error.HTTPError as error:
        error.close()
        if error.code >= 500 or error.code == 429:
            raise Unavailable(f"{url} answered {error.code}") from error
        raise
    except urllib.error.URLError as error:
        raise Unavailable(f"{url}: {error.reason}") from error
    return Score(total=score, parts={"judge": score})
