"""A simulated Dynamics 365 organisation. Microsoft's own Python client proves it in tests/contract/test_dynamics_oracle.py."""

from tests.kit.dynamics.org import Org
from tests.kit.dynamics.schema import OPTION_BASE
from tests.kit.dynamics.server import CLIENT_ID, CLIENT_SECRET, ROOT, TENANT, Simulator, dynamics

__all__ = ["CLIENT_ID", "CLIENT_SECRET", "OPTION_BASE", "ROOT", "TENANT", "Org", "Simulator", "dynamics"]
