"""The first stage: reads each file once, before anything else does."""

import hashlib

from vaserl.curation.job.batch import RowBatch, rejecting, remaining, with_column
from vaserl.curation.source.read import STAGE
from vaserl.files.photograph import UnreadablePhotograph, read_photograph
from vaserl.files.storage import is_for_good, no_answer, read_bytes


class Source:
    """Fills in `photo_sha256` and rejects what doesn't decode.

    Raises: UserError where a file system gives no answer, see `is_for_good`.
    """

    def __call__(self, batch: RowBatch) -> RowBatch:
        digests: dict[int, str] = {}
        reasons: dict[int, str] = {}
        for index in remaining(batch):
            try:
                content = read_bytes(batch["photo"][index])
                digests[index] = hashlib.sha256(content).hexdigest()
                read_photograph(content)
            except OSError as error:
                if not is_for_good(error):
                    raise no_answer(batch["photo"][index], error) from error
                reasons[index] = f"can't be read: {error.strerror or type(error).__name__}"
            except UnreadablePhotograph as error:
                reasons[index] = str(error)
        return rejecting(with_column(batch, "photo_sha256", digests, ""), STAGE, reasons)
