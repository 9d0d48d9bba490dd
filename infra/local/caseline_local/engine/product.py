"""The whole product on this machine: local services, the template's resources, functions in sandboxes, event sources, the front door."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caseline_local.engine.access import Access
from caseline_local.engine.environment import Outcome
from caseline_local.engine.front import Door, Front
from caseline_local.engine.hand_over import FUNCTION as EVENT_FUNCTION
from caseline_local.engine.hand_over import PATH as EVENTS
from caseline_local.engine.hand_over import HandOver
from caseline_local.engine.home import Home
from caseline_local.engine.output import Output
from caseline_local.engine.proxy import HttpAnswer, HttpRequest
from caseline_local.engine.queue_source import QueueSource
from caseline_local.engine.resources import Place, Stack
from caseline_local.engine.routes import Routes, read_routes
from caseline_local.engine.sandbox import Nursery, Sandboxes
from caseline_local.engine.scene_shift import CLOCK, CRM, SceneShift
from caseline_local.engine.schedules import Keeper
from caseline_local.engine.steps import Steppers
from caseline_local.engine.stream_source import StreamSource
from caseline_local.engine.transform import translate
from caseline_local.engine.wiring import read_functions, read_mappings, read_schedules
from caseline_local.world import World

if TYPE_CHECKING:
    from caseline_local.cloud.cloud import Cloud
    from caseline_local.engine.settings import Settings

ROOT = Path(__file__).resolve().parents[4]
_ACCOUNT = "123456789012"
_PARAMETERS = {"OidcIssuer": "local", "Stage": "local"}
"""With an issuer the template has the console and the API; here the front stands in for the issuer's authoriser."""
_NAMED = {"table": "Table", "bucket": "Bucket", "policy": "PolicyParameter"}  # what the command line reads and writes itself
_DRAIN_SECONDS = 5.0
_ASYNC_RETRIES, _ASYNC_PAUSE = 2, 1.0


def ignore(text: str) -> None:
    """The progress callback of those who do not want to know."""


class Product:
    """`progress` gets a line of text now and then; `root` holds template.yaml, functions/ and layers/core. Port 0 is any free one."""

    def __init__(self, home: Path, port: int, progress: Callable[[str], None] = ignore, root: Path = ROOT) -> None:
        self.home, self.root, self._progress = Home(home), root, progress
        self.world = World(self.home.world_file)
        self._port = port
        self._stopping = threading.Event()
        self._undo: list[Callable[[], object]] = []
        self._steppers = Steppers(self._stopping, progress)
        self._background = ThreadPoolExecutor(8, thread_name_prefix="asynchronous")
        self.sandboxes: Sandboxes | None = None

    # ---- start

    def start(self) -> None:
        """Returns when ready. ConfigError, HomeInUseError or OSError (the port) say why not; then nothing is left running."""
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def _start(self) -> None:
        self.home.lock(self._port)
        self._undo.append(self.home.unlock)
        self.home.prepare()
        self.nursery = Nursery(str(self.root / "layers" / "core"))
        self._undo.append(self.nursery.stop)
        self._open_front()
        self._read_address()
        self._start_cloud()
        self._create_resources()
        self._start_functions()
        self._start_sources()
        self._door.open(Routes(read_routes(self.stack)), self._invoke, self._own_paths())

    def _open_front(self) -> None:
        """First of all, so that a taken port is known at once; it answers 503 until all is ready."""
        self._door = Door()
        self._front = Front(self._port, self._door)
        self._undo.append(self._front.stop)
        self._front.start()
        self._port = self._front.port
        self.home.note_port(self._port)

    def _read_address(self) -> None:
        """Before anything that takes time, so that a wrong configuration is said at once."""
        from caseline_local.engine.settings import read_home_config

        self.public_url = str(read_home_config(self.home).get("public_url") or self.url)
        self._door.guard(Access(self.home.token, self.public_url), self.public_url)

    def _start_cloud(self) -> None:
        from caseline_local.cloud.cloud import Cloud  # a second of imports, which the nursery's overlap with

        self.cloud: Cloud = Cloud(self.home.path, self._answer_invocation)
        self._undo.append(self.cloud.stop)
        logging.getLogger("moto").setLevel(logging.CRITICAL + 1)  # its state machines log inputs and whole stack traces
        self.cloud.on_alert = lambda subject, message: self._progress(f"alert: {subject or message}")
        self.cloud.sleep = self.world.sleep
        self.cloud.start()

    def _create_resources(self) -> None:
        from caseline_local.engine.creators import create_all
        from caseline_local.engine.settings import Settings

        services = self.cloud.environment
        place = Place(services["AWS_REGION"], _ACCOUNT, services["AWS_ENDPOINT_URL"], self.public_url)
        template = translate(self.root / "template.yaml", _PARAMETERS, self.home.cache, place.region)
        self.stack = Stack(template, {**_PARAMETERS, "PublicUrl": self.public_url}, place)
        for unknown in create_all(self.stack, self.cloud.client):
            self._progress(f"not created here: {unknown}")
        self.settings: Settings = Settings(self.home, self.public_url, self.cloud.client, self._take_up_settings, self._progress, self._stopping)
        self.settings.put()
        names = {name: self.stack.name(resource) for name, resource in _NAMED.items() if resource in self.stack}
        self.home.note_port(self._port, {"endpoint": place.endpoint, "region": place.region, **names})

    def _start_functions(self) -> None:
        output = Output(self.home.logs, self.cloud.metrics.add, self._progress)
        functions = read_functions(self.stack, self.root, {**self.cloud.environment, "CASELINE_WORLD": str(self.home.world_file)})
        self.sandboxes = Sandboxes(functions, self.nursery, [str(self.root / "layers" / "core")], output.take)
        self._undo += [self.sandboxes.stop, self.cloud.executions.freeze]  # undone from the last to the first

    def _own_paths(self) -> dict[str, Callable[[HttpRequest], HttpAnswer]]:
        """What can be asked of this runtime, and of no deployed stack."""
        shift = SceneShift(self.world, self._keepers)
        paths = {CLOCK: shift.move_clock, CRM: shift.switch_crm}
        if any(resource.logical_id == EVENT_FUNCTION for resource in self.stack.of_kind("AWS::Lambda::Function")):
            paths[EVENTS] = HandOver(self.invoke, self.cloud.client, self.stack.place.region).answer
        return paths

    def _start_sources(self) -> None:
        queues, streams = read_mappings(self.stack)
        for mapping in streams:
            self.cloud.streams.register(mapping.function)
        self.cloud.restore()
        sources: list[Any] = [QueueSource(mapping, self.cloud.queues, self._invoke, self._stopping) for mapping in queues]
        sources += [StreamSource(mapping, self.cloud.streams, self._invoke, self._send, self._stopping) for mapping in streams]
        self._keepers = [Keeper(schedule, self._stopping, self.world.now) for schedule in read_schedules(self.stack, self._invoke, self.world.now)]
        for source in (*sources, *self._keepers, self.settings):
            self._steppers.start(source.steps)
        self._undo.append(self._drain)

    # ---- while it runs

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def console_url(self) -> str:
        return f"{self.url}/console?token={self.home.token}"

    def invoke(self, logical_id: str, payload: bytes) -> Outcome:
        """Run a function, by its name in the template, on a JSON event."""
        return self._invoke(self.stack.name(logical_id), payload)

    def pending(self) -> Mapping[str, int]:
        """What is under way: messages in source queues, stream records not taken, executions running."""
        queues, streams = read_mappings(self.stack)
        return {
            "messages": sum(self.cloud.queues.depth(mapping.queue) for mapping in queues),
            "records": max((self.cloud.streams.backlog(mapping.function) for mapping in streams), default=0),
            "executions": self.cloud.executions.running(),
        }

    def settle(self, seconds: float) -> bool:
        """Wait until nothing is under way; whether it came to that."""
        deadline = time.monotonic() + seconds
        while any(self.pending().values()):
            if time.monotonic() > deadline or self._stopping.wait(0.1):
                return False
        return True

    def wait(self) -> None:
        """Until somebody calls `request_stop`."""
        while not self._stopping.wait(3600):
            pass

    def request_stop(self, *_: object) -> None:
        """Fit to be a signal handler."""
        self._stopping.set()

    def _invoke(self, function: str, payload: bytes) -> Outcome:
        assert self.sandboxes is not None
        return self.sandboxes.invoke(function, payload)

    def _answer_invocation(self, function: str, payload: bytes, asynchronous: bool) -> tuple[bool, bytes]:
        """The Lambda service's Invoke: (whether it went well, payload)."""
        if asynchronous:
            self._background.submit(self._invoke_with_retries, function, payload)
            return True, b""
        outcome = self._invoke(function, payload)
        return outcome.error is None, outcome.payload

    def _invoke_with_retries(self, function: str, payload: bytes) -> None:
        for _ in range(1 + _ASYNC_RETRIES):
            if self._invoke(function, payload).error is None or self._stopping.wait(_ASYNC_PAUSE):
                return

    def _send(self, queue: str, body: str) -> None:
        self.cloud.queues.send(queue, body)

    def _take_up_settings(self) -> None:
        """Functions keep settings for a minute; new environments have none to keep."""
        if self.sandboxes:
            self.sandboxes.renew()
        self._progress("configuration taken up")

    # ---- stop

    def stop(self) -> None:
        """Take nothing more in, let what runs finish briefly, and end every child. What was not finished runs again after the next start."""
        self._stopping.set()
        if self._undo and hasattr(self, "_door"):
            self._door.close()
        while self._undo:
            self._undo.pop()()
        self._background.shutdown(wait=False, cancel_futures=True)

    def _drain(self) -> None:
        self._door.wait_until_empty(_DRAIN_SECONDS)
        self._steppers.join(_DRAIN_SECONDS)
