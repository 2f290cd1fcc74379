"""Recognises secrets that must not be sent to a job, because Ray shows a job's command and variables in clear."""

import re

_NAME = re.compile(
    r"TOKEN|SECRET|PASS|PWD|CREDENTIAL|(^|_)(PAT|CREDS)(_|$)|(^|_)(API_?)?KEY(_|$)|ACCESS_KEY", re.IGNORECASE
)


def is_secret_name(name: str) -> bool:
    """Tells whether an environment variable with this name probably holds a secret."""
    return _NAME.search(name) is not None
