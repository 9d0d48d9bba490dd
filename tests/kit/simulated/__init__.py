"""What every simulator of a CRM stands on: HTTP on 127.0.0.1, a record of the calls, faults on demand.

A simulator subclasses `Simulator` and answers `Call` with `Reply`. It is reached over a socket (`with serving(sim) as url`),
or without one through `in_process(sim)`, a requests session for tests that make thousands of calls and for deaths at every one of them.
"""

from tests.kit.simulated.faults import Fault, Faults
from tests.kit.simulated.redirected import ToSimulator
from tests.kit.simulated.server import Call, Reply, Simulator, in_process, serving
from tests.kit.simulated.wire import FaultyWire

__all__ = ["Call", "Fault", "Faults", "FaultyWire", "Reply", "Simulator", "ToSimulator", "in_process", "serving"]
