"""Settings of a language model behind a URL."""

import pydantic

from vaserl.settings.section import Section


class ChatServerSettings(Section):
    """Settings of the server that runs a model, and of the requests to it. The server speaks the protocol of OpenAI's
    chat completions, as `vllm serve`, llama.cpp, Ollama and most providers do."""

    base_url: str = pydantic.Field(pattern=r"^https?://\S+$")
    """URL of the server up to and including the version: "http://127.0.0.1:8000/v1"."""
    model: str = pydantic.Field(min_length=1)
    """Name under which the server runs the model."""
    api_key_variable: str = ""
    """Name of the environment variable that holds the server's key, on every node that asks the server. Empty if the
    server needs no key. The key itself is in no file."""
    timeout_s: float = pydantic.Field(default=30.0, gt=0)
    """Seconds after which an attempt without an answer is given up. A timeout, a broken connection and the statuses
    408, 409, 429 and 5xx are repeated up to four times; the pause before is the server's Retry-After, or else doubles
    from 0.5 s. The requests of one batch are open at once."""
