"""Identity cards of the judges that settings describe."""

from hashlib import sha256

from vaserl.errors import UserError
from vaserl.files import sha256_of_folder
from vaserl.files.strict_json import strict_json
from vaserl.judge.geometric import geometric_card
from vaserl.judge.judge import JudgeCard
from vaserl.judge.settings import JudgeModelSettings


def judge_card(settings: JudgeModelSettings) -> JudgeCard:
    """Returns the card of the judge. A model folder's files are hashed; of a server only URL and model name are known.

    Raises: UserError if the model folder doesn't exist.
    """
    if settings.kind == "geometric":
        return geometric_card(settings.role)
    if settings.kind == "url":
        assert settings.server is not None  # the settings' validator
        name, identity = settings.server.model, f"{settings.server.base_url}\0{settings.server.model}"
    else:
        assert settings.path is not None  # the settings' validator
        if not (settings.path / "config.json").is_file():
            raise UserError(f"judge.path = {settings.path}: no config.json; expected a model folder of Hugging Face")
        name = settings.path.name
        identity = f"{sha256_of_folder(settings.path)}\0{settings.dtype}\0{strict_json(settings.engine_args)}"
    digest = sha256(f"{settings.kind}\0{identity}".encode()).hexdigest()
    return JudgeCard(name=name, family=settings.family, role=settings.role, sha256=digest)
