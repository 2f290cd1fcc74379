"""The first stage: reads each photograph's file before any other stage does, and rejects files that don't decode."""

import hashlib

from vaserl.curation.settings import PoolSettings
from vaserl.curation.stage import (
    Column,
    Kept,
    KeptPhotograph,
    Photograph,
    Recipe,
    Rejected,
    Stage,
    StageContext,
    Verdict,
)
from vaserl.files.photograph import UnreadablePhotograph, read_photograph
from vaserl.files.storage import is_for_good, no_answer, read_bytes

DIGEST = Column(name="photo_sha256", kind=str)


class SourceReader:
    """Adds the column `photo_sha256`, the SHA-256 of the file; rejects files that can't be read or decoded.

    The process has the pixel limit of the settings (`use_pixel_limit`), because the later stages read the file again.
    """

    def judge(self, photograph: Photograph) -> Verdict:
        """Returns the verdict on the photograph's file.

        Raises: UserError if the file's storage can't be reached at the moment, as decided by `is_for_good`.
        """
        digest = ""
        try:
            content = read_bytes(photograph.photo)
            digest = hashlib.sha256(content).hexdigest()
            read_photograph(content)
        except OSError as error:
            if not is_for_good(error):
                raise no_answer(photograph.photo, error) from error
            reason = f"can't be read: {error.strerror or type(error).__name__}"
            return Rejected(reason=reason, columns={DIGEST.name: digest})
        except UnreadablePhotograph as error:
            return Rejected(reason=str(error), columns={DIGEST.name: digest})
        return Kept(columns={DIGEST.name: digest})


def _recipe(context: StageContext) -> Recipe:
    return Recipe(make=SourceReader, depends={"max_pixels": context.settings.source.max_pixels})


def _tell(kept: KeptPhotograph) -> str:
    row = kept.row
    return f"read it: sha256 {row.photo_sha256[:12]}…, a record of {len(row.record)} fields"


SOURCE = Stage(
    name="source",
    section="source",
    recipe=_recipe,
    columns=(DIGEST,),
    hint="source.path, source.pattern, source.id_field and, behind a URL, source.storage_options",
    pool=PoolSettings(batch_size=128),
    tell=_tell,
)
