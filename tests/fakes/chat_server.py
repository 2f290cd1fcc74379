"""A local HTTP server with the protocol of chat completions, whose answers a test scripts."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, Any]
"""Status of HTTP, and the body: text as it is, anything else as JSON."""


def completion(text: str | None, finish_reason: str = "stop") -> Answer:
    """Returns the answer of a server that completes a chat with a text."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish_reason}
    return 200, {"id": "c", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}


def refusal(status: int, message: str) -> Answer:
    """Returns the answer of a server that refuses a request."""
    return status, {"error": {"message": message, "type": "error"}}


@dataclass
class ChatServer:
    """What a test sees of the server."""

    url: str
    asked: list[dict[str, Any]] = field(default_factory=list)
    """Bodies of the requests, in the order of their arrival."""
    keys: list[str] = field(default_factory=list)
    """Values of the header Authorization."""
    paths: list[str] = field(default_factory=list)
    most_at_once: int = 0
    stopping: threading.Event = field(default_factory=threading.Event)
    """Set when the test ends; an answer that never comes waits for it."""


@contextlib.contextmanager
def chat_server(answer: Callable[[ChatServer, str], Answer]) -> Iterator[ChatServer]:
    """Runs a server on a free port. `answer` is called with the server and the prompt, in a thread per request."""
    lock = threading.Lock()
    open_now = 0

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            nonlocal open_now
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                open_now += 1
                server.most_at_once = max(server.most_at_once, open_now)
                server.asked.append(body)
                server.keys.append(self.headers["Authorization"])
                server.paths.append(self.path)
            status, content = answer(server, body["messages"][0]["content"])
            with lock:
                open_now -= 1
            data = (content if isinstance(content, str) else json.dumps(content)).encode()
            with contextlib.suppress(ConnectionError):
                self.send_response(status)
                self.send_header("Content-Type", "text/html" if isinstance(content, str) else "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    server = ChatServer(f"http://127.0.0.1:{http.server_port}/v1")
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.stopping.set()
        http.shutdown()
        thread.join()
        http.server_close()
