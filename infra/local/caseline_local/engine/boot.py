"""The parent of all execution environments: imports what functions share once, then forks a child for each of them.

Run as a script with the number of a stream socket. A request is one JSON line with the write end of the child's output attached;
the answer is a line with its process id. Nothing here outlives the process that started it.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import signal
import socket
import sys
from types import ModuleType
from typing import Any

_SET_DEATH_SIGNAL = 1
_SHARED = (
    "http.client", "logging", "decimal", "uuid", "simplejson", "snapshot_restore_py", "botocore.session", "boto3.dynamodb.types", "pydantic",
    "chalice", "requests", "aws_lambda_powertools", "aws_lambda_powertools.event_handler", "aws_lambda_powertools.utilities.batch", "jinja2",
)  # fmt: skip
_SERVICES = ("dynamodb", "sqs", "secretsmanager", "ssm", "stepfunctions", "s3", "sns", "events", "comprehend", "cloudwatch")


def serve(commands: socket.socket) -> None:
    """Answer requests until the other end goes away."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps: ends are noticed by the child's output closing
    while True:
        line, descriptors = _receive(commands)
        if not line:
            return
        request, output = json.loads(line), descriptors[0]
        child = os.fork()
        if child == 0:
            _become(request, output, commands)
        os.close(output)
        commands.sendall(b"%d\n" % child)


def _receive(commands: socket.socket) -> tuple[bytes, list[int]]:
    line, descriptors = b"", []
    while not line.endswith(b"\n"):
        chunk, received, _, _ = socket.recv_fds(commands, 65536, 1)
        if not chunk:
            return b"", []
        line += chunk
        descriptors += received
    return line, descriptors


def _become(request: dict[str, Any], output: int, commands: socket.socket) -> None:
    """Turn this fork into the environment; never returns."""
    try:
        _die_with_parent()
        commands.close()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        os.environ.clear()
        os.environ.update(request["environment"])
        os.chdir(request["code"])
        sys.path[:0] = request["path"]
        _enter_world(os.environ.pop("CASELINE_WORLD", ""))
        _run_handler(request["handler"], request["environment"]["AWS_LAMBDA_RUNTIME_API"])
    except SystemExit:
        pass
    except BaseException as error:  # whatever it was, this copy must not go on serving commands
        sys.__stderr__.write(f"environment failed: {error!r}\n")
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
        os._exit(0)


def _enter_world(file: str) -> None:
    """The clock and the CRM that stories move; a product without Caseline's wiring has neither."""
    if file:
        from pathlib import Path

        world = _load("../world.py")
        with contextlib.suppress(ImportError):
            world.enter(world.World(Path(file)))


def _run_handler(handler: str, address: str) -> None:
    try:
        from awslambdaric import bootstrap
        from awslambdaric.lambda_runtime_client import LambdaRuntimeClient
    except ImportError:
        _load("runtime_loop.py").run(handler, address)  # the stand-in for awslambdaric where there is no wheel of it
    else:
        bootstrap.run(handler, LambdaRuntimeClient(address))


def _load(file: str) -> ModuleType:
    """A module beside this script, by its file: this script's package is not on the path."""
    from importlib.util import module_from_spec, spec_from_file_location

    path = os.path.normpath(os.path.join(os.path.dirname(__file__), file))
    spec = spec_from_file_location(os.path.splitext(os.path.basename(path))[0], path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is missing")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _die_with_parent() -> None:
    """Linux ends an environment with the process that forked it; elsewhere its lost connection does."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)


def preload() -> None:
    """Import what several functions use, so that their children share it; what is missing is the function's own matter."""
    for name in _SHARED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    with contextlib.suppress(ImportError):
        _load_models()
    gc.collect()
    gc.freeze()


def _load_models() -> None:
    """Read the service descriptions into the loader that every later session of these children uses."""
    from botocore import loaders, session

    loader = loaders.create_loader()
    session.create_loader = lambda search_path_string=None: loader
    for service in _SERVICES:
        loader.load_service_model(service, "service-2", api_version=None)
        loader.load_service_model(service, "endpoint-rule-set-1")
    for shared in ("endpoints", "sdk-default-configuration", "partitions", "_retry"):
        loader.load_data(shared)


if __name__ == "__main__":
    sys.path[:] = [entry for entry in sys.path if os.path.realpath(entry or ".") != os.path.dirname(os.path.realpath(__file__))]
    sys.path[:0] = sys.argv[2:]
    preload()
    serve(socket.socket(fileno=int(sys.argv[1])))
