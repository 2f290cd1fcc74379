"""A job server that speaks Ray's protocol and runs nothing: each submitted job prints and ends as the test says."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import web


class FakeJobServer:
    """Job server at a port of this machine, in a thread of its own."""

    def __init__(self, *outcomes: tuple[str, int | None], upload_s: float = 0.0):
        """outcomes: state ("SUCCEEDED", "FAILED", "RUNNING") and exit code of each submitted job, in order.
        upload_s: time before an upload is read."""
        self._outcomes, self._upload_s = list(outcomes), upload_s
        self.jobs: dict[str, dict[str, Any]] = {}
        """Jobs as they are shown, by id."""
        self.headers: list[str | None] = []
        """Header `Authorization` of each request."""
        self.uploads: list[bytes] = []
        self.address = ""

    async def version(self, request: web.Request) -> web.Response:
        """Answers GET /api/version."""
        return web.json_response({"version": "4", "ray_version": "2.60.0", "ray_commit": "x", "session_name": "s"})

    async def package(self, request: web.Request) -> web.Response:
        """Says that an upload is unknown, or takes it."""
        if request.method == "GET":
            return web.Response(status=404)
        await asyncio.sleep(self._upload_s)
        self.uploads.append(await request.read())
        return web.Response()

    async def submit(self, request: web.Request) -> web.Response:
        """Starts a job."""
        asked = await request.json()
        status, code = self._outcomes.pop(0)
        self.jobs[asked["submission_id"]] = {
            **{name: asked[name] for name in ("submission_id", "entrypoint", "metadata", "runtime_env")},
            **{"type": "SUBMISSION", "status": status, "driver_exit_code": code},
        }
        return web.json_response({"job_id": asked["submission_id"], "submission_id": asked["submission_id"]})

    async def list(self, request: web.Request) -> web.Response:
        """Shows all jobs."""
        return web.json_response([*self.jobs.values()])

    async def show(self, request: web.Request) -> web.Response:
        """Shows a job."""
        return web.json_response(self.jobs[request.match_info["id"]])

    async def logs(self, request: web.Request) -> web.Response:
        """Shows what a job printed."""
        return web.json_response({"logs": f"{request.match_info['id']} works\n"})

    async def stop(self, request: web.Request) -> web.Response:
        """Stops a job, unless it is to be deaf: then its exit code is set already."""
        job = self.jobs[request.match_info["id"]]
        if job["driver_exit_code"] is None:
            job["status"] = "STOPPED"
        return web.json_response({"stopped": True})

    async def tail(self, request: web.Request) -> web.WebSocketResponse:
        """Sends what a job prints until it has ended."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str(f"{request.match_info['id']} works\n")
        while self.jobs[request.match_info["id"]]["status"] == "RUNNING":
            await asyncio.sleep(0.02)
        await socket.close()
        return socket

    @contextmanager
    def running(self) -> Iterator["FakeJobServer"]:
        """Serves for the duration of a `with` block."""
        is_up, ends = threading.Event(), list[Callable[[], object]]()

        async def serve() -> None:
            @web.middleware
            async def note_token(request: web.Request, handler: Any) -> web.StreamResponse:
                self.headers.append(request.headers.get("Authorization"))
                return await handler(request)

            app = web.Application(middlewares=[note_token], client_max_size=2**30)
            app.add_routes(
                [
                    web.get("/api/version", self.version),
                    web.route("*", "/api/packages/{protocol}/{name}", self.package),
                    web.post("/api/jobs/", self.submit),
                    web.get("/api/jobs/", self.list),
                    web.get("/api/jobs/{id}", self.show),
                    web.get("/api/jobs/{id}/logs", self.logs),
                    web.get("/api/jobs/{id}/logs/tail", self.tail),
                    web.post("/api/jobs/{id}/stop", self.stop),
                ]
            )
            runner = web.AppRunner(app, shutdown_timeout=0.1)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
            loop, end = asyncio.get_running_loop(), asyncio.Event()
            ends.append(lambda: loop.call_soon_threadsafe(end.set))
            is_up.set()
            await end.wait()
            await runner.cleanup()

        thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
        thread.start()
        assert is_up.wait(20)
        try:
            yield self
        finally:
            ends[0]()
            thread.join(60)
