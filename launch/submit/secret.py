"""Recognises secrets that must not be sent to a job, because Ray shows a job's command and variables in clear."""

import re

_NAME = re.compile(
    r"TOKEN|SECRET|PASS|PWD|CREDENTIAL|(^|_)(PAT|CREDS)(_|$)|(^|_)(API_?)?KEY(_|$)|ACCESS_KEY", re.IGNORECASE
)
# A password may contain "/" and "@" although it should not. The user of a web address is often a token; that of other
# URLs is not: abfs://container@account
_PASSWORD = re.compile(r"://[^/\s]*:\S*@|https?://[^/\s]*@", re.IGNORECASE)


def is_secret_name(name: str) -> bool:
    """Tells whether an environment variable with this name probably holds a secret."""
    return _NAME.search(name) is not None


def has_password(text: str) -> bool:
    """Tells whether a text contains a URL with a password."""
    return _PASSWORD.search(text) is not None
