"""A local HTTP server that speaks as much of the Hugging Face hub as downloads of a snapshot and small uploads need.

It serves one model at one commit, and takes uploads as ordinary files in one commit. It knows nothing of Git LFS and
Xet, through which large files travel.
"""

import base64
import contextlib
import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

NAME = "org/vases"
COMMIT = "c" * 40
TOKEN = "hf_token_of_the_test"


@dataclass
class HubServer:
    """What a test sees of the server."""

    url: str
    files: dict[str, bytes]
    """Content of each file of the model."""
    downloaded: list[str] = field(default_factory=list)
    """Names of the files whose content was sent."""
    created: dict[str, Any] = field(default_factory=dict)
    """Body of the request that created a model."""
    uploaded: dict[str, bytes] = field(default_factory=dict)
    """Content of each uploaded file."""
    tokens: set[str] = field(default_factory=set)
    """Values of the header Authorization."""


@contextlib.contextmanager
def hub_server(files: dict[str, bytes]) -> Iterator[HubServer]:
    """Runs a server on a free port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._file()

        def do_GET(self) -> None:
            server.tokens.add(self.headers.get("Authorization", ""))
            path = unquote(urlsplit(self.path).path)
            if path.startswith(f"/api/models/{NAME}/revision/"):
                is_known = path.rpartition("/")[2] in ("main", COMMIT)
                if is_known:
                    self._json({"id": NAME, "sha": COMMIT, "siblings": [{"rfilename": name} for name in server.files]})
                else:
                    self._json({"error": "Invalid rev id"}, status=404, **{"X-Error-Code": "RevisionNotFound"})
            elif path.startswith(f"/api/models/{NAME}/tree/{COMMIT}"):
                self._json(
                    [
                        {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
                        for name, content in server.files.items()
                    ]
                )
            elif path.startswith(f"/api/models/{NAME}/tree/"):
                self._json({"error": "Invalid rev id"}, status=404, **{"X-Error-Code": "RevisionNotFound"})
            elif "/resolve/" in path:
                self._file()
            else:
                self._json({"error": "Repository not found"}, status=404, **{"X-Error-Code": "RepoNotFound"})

        def do_POST(self) -> None:
            server.tokens.add(self.headers.get("Authorization", ""))
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = urlsplit(self.path).path
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                self._json({"error": "Invalid credentials"}, status=401)
            elif path == "/api/repos/create":
                server.created = json.loads(body)
                self._json({"url": f"{server.url}/{NAME}", "name": NAME, "id": NAME})
            elif path == "/api/validate-yaml":
                self._json({"errors": [], "warnings": []})
            elif path == f"/api/models/{NAME}/preupload/main":
                files = [each["path"] for each in json.loads(body)["files"]]
                modes = [{"path": name, "uploadMode": "regular", "shouldIgnore": False} for name in files]
                self._json({"files": modes})
            elif path == f"/api/models/{NAME}/commit/main":
                for line in map(json.loads, body.decode().splitlines()):
                    if line["key"] == "file":
                        server.uploaded[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
                url = f"{server.url}/{NAME}/commit/{COMMIT}"
                self._json({"success": True, "commitOid": COMMIT, "commitUrl": url})
            else:
                self._json({"error": "Repository not found"}, status=404, **{"X-Error-Code": "RepoNotFound"})

        def _file(self) -> None:
            name = unquote(urlsplit(self.path).path).partition(f"/resolve/{COMMIT}/")[2]
            content = server.files.get(name)
            if content is None:
                self._json({"error": "Entry not found"}, status=404, **{"X-Error-Code": "EntryNotFound"})
                return
            if self.command == "GET":
                server.downloaded.append(name)
            etag = f'"{hashlib.sha1(content).hexdigest()}"'
            self._send(content, 200, {"ETag": etag, "X-Repo-Commit": COMMIT})

        def _json(self, value: Any, status: int = 200, **headers: str) -> None:
            self._send(json.dumps(value).encode(), status, {"Content-Type": "application/json", **headers})

        def _send(self, content: bytes, status: int, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    server = HubServer(f"http://127.0.0.1:{http.server_port}", dict(files))
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
