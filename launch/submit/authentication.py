"""How this machine identifies itself to a cluster: Ray's token authentication."""

from collections.abc import Mapping
from pathlib import Path

AUTH_MODE = "RAY_AUTH_MODE"
_TOKEN, _TOKEN_PATH = "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"


def auth_mode(environment: Mapping[str, str]) -> str:
    """Returns RAY_AUTH_MODE if it is set, else "token" if there is a token, else "disabled". Ray itself sends no token
    unless RAY_AUTH_MODE says so, even if there is one. A cluster without authentication ignores the token."""
    if environment.get(AUTH_MODE):
        return environment[AUTH_MODE]
    stated = environment.get(_TOKEN) or environment.get(_TOKEN_PATH)
    return "token" if stated or token_file(environment).is_file() else "disabled"


def token_file(environment: Mapping[str, str]) -> Path:
    """Returns the path of the file from which Ray reads the token; it need not exist."""
    stated = environment.get(_TOKEN_PATH)
    return Path(stated).expanduser() if stated else Path(environment.get("HOME", "~"), ".ray", "auth_token")
