"""Models on the Hugging Face hub: downloads one at a commit, and uploads an exported folder.

Only configuration, tokenizer and safetensors files are downloaded: neither pickled weights nor code. The token is read
from the environment (HF_TOKEN) by huggingface_hub; no message contains it.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from vaserl.errors import UserError

HUB = "hf://"
"""Beginning of the name of a model on the hub: hf://ORG/NAME, or hf://ORG/NAME@REVISION."""

_PATTERNS = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja")
_NAME = re.compile(r"(?P<name>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class HubModel:
    """A model on the hub.

    Example: HubModel(name="Qwen/Qwen2.5-VL-7B-Instruct", revision="cc594898137f460bfe9f0759e9844b3ce807cfb5")
    """

    name: str
    revision: str = ""
    """Branch, tag or commit; empty for the main branch."""

    @classmethod
    def parse(cls, text: str) -> "HubModel":
        """Returns the model that a text like hf://ORG/NAME@REVISION names, with or without hf://.

        Raises: UserError if the text has another form.
        """
        match = _NAME.fullmatch(text.removeprefix(HUB))
        if match is None:
            raise UserError(f"{text} is no name of a model on the Hugging Face hub; expected {HUB}ORG/NAME[@REVISION]")
        return cls(name=match["name"], revision=match["revision"] or "")

    def __str__(self) -> str:
        return f"{self.name}@{self.revision}" if self.revision else self.name

    @property
    def download_command(self) -> str:
        """Command that downloads the model into the cache and prints the folder."""
        return f"hf download {self.name}{f' --revision {self.revision}' if self.revision else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadedModel:
    """A model in the cache of huggingface_hub."""

    folder: Path
    model: HubModel
    """The model, with its commit as revision."""


def download_model(model: HubModel) -> DownloadedModel:
    """Downloads what the cache lacks of a model. A branch or tag is first resolved to its commit; if the hub is out of
    reach, to the commit that it had at the last download.

    Raises: UserError if the model does not exist, or is neither in the cache nor can be downloaded.
    """
    from huggingface_hub import snapshot_download

    with _explained(model, f"Where there is a network, run `{model.download_command}`"):
        folder = snapshot_download(
            model.name, revision=model.revision or None, allow_patterns=list(_PATTERNS), endpoint=_endpoint()
        )
    path = Path(folder)
    return DownloadedModel(folder=path, model=HubModel(name=model.name, revision=path.name))


def check_push(name: str) -> None:
    """Raises UserError if a folder can't be uploaded under this name: wrong form, no token, or no network allowed."""
    from huggingface_hub import constants, get_token

    if HubModel.parse(name).revision:
        raise UserError(f"--push {name}: a new model has no revision yet; give ORG/NAME")
    if constants.HF_HUB_OFFLINE:
        raise UserError("--push needs the network, but HF_HUB_OFFLINE is set in the environment")
    if not get_token():
        raise UserError("--push needs a token of the Hugging Face hub that may write: set HF_TOKEN in the environment")


def push_folder(folder: Path, name: str, *, is_private: bool) -> str:
    """Uploads a model's folder to the hub in one commit, and creates the model there if it does not exist.

    is_private: whether a model that is created is private.

    Returns: URL of the model.

    Raises: UserError with the hub's reason if the upload fails; the folder remains.
    """
    from huggingface_hub import HfApi

    api = HfApi(endpoint=_endpoint())
    with _explained(HubModel(name=name), f"The folder {folder} is complete; `hf upload {name} {folder}` uploads it"):
        url = api.create_repo(name, private=is_private, exist_ok=True)
        api.upload_folder(repo_id=name, folder_path=folder, commit_message="Model exported by vaserl")
    return str(url)


def _endpoint() -> str | None:
    return os.environ.get("HF_ENDPOINT") or None


@contextmanager
def _explained(model: HubModel, remedy: str) -> Iterator[None]:
    """Turns the errors of huggingface_hub inside a `with` block into a UserError with a remedy."""
    from huggingface_hub import errors

    try:
        yield
    except errors.HFValidationError as error:
        raise UserError(f"{model.name} is no name of a model on the Hugging Face hub: {error}") from None
    except errors.GatedRepoError:
        raise UserError(
            f"{model.name} is gated: accept its terms on the hub, and set HF_TOKEN to a token of that account"
        ) from None
    except errors.RepositoryNotFoundError:
        raise UserError(
            f"the Hugging Face hub has no model {model.name} for this token; it is misspelt or private (HF_TOKEN)"
        ) from None
    except errors.RevisionNotFoundError:
        raise UserError(f"{model.name} has no revision {model.revision!r} on the Hugging Face hub") from None
    except (errors.HfHubHTTPError, errors.LocalEntryNotFoundError, ConnectionError, OSError) as error:
        place = _endpoint() or "https://huggingface.co"
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise UserError(f"{model}: the Hugging Face hub ({place}) gave no answer to use: {reason}\n{remedy}") from None
