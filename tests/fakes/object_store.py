"""An S3 service on this machine, with one bucket, that notes which objects are read."""

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

BUCKET = "museum"


class ObjectStore(logging.Handler):
    """A running service."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.environment = {
            "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        self.reads: list[str] = []
        """Name of the object of each request that read one, in order."""

    def emit(self, record: logging.LogRecord) -> None:
        if found := re.search(rf"GET /{BUCKET}/(\S+) HTTP", record.getMessage()):
            self.reads.append(found[1])

    def upload(self, folder: Path, name: str) -> str:
        """Copies a folder into the bucket. Returns: its URL."""
        import s3fs

        s3fs.S3FileSystem().put(f"{folder}/", f"{BUCKET}/{name}/", recursive=True)
        return f"s3://{BUCKET}/{name}"


@contextmanager
def object_store() -> Iterator[ObjectStore]:
    """Runs a service; in the block this process uses it for s3:// URLs."""
    import s3fs
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    store = ObjectStore(server.get_host_and_port()[1])
    logger = logging.getLogger("werkzeug")
    before = logger.level
    logger.addHandler(store)
    logger.setLevel(logging.INFO)
    try:
        with mock.patch.dict(os.environ, store.environment):
            s3fs.S3FileSystem.clear_instance_cache()
            s3fs.S3FileSystem().mkdir(BUCKET)
            yield store
    finally:
        s3fs.S3FileSystem.clear_instance_cache()
        logger.removeHandler(store)
        logger.setLevel(before)
        server.stop()
