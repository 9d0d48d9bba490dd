"""BottleCRM (django-crm 1.35) as far as Caseline speaks with it: in memory, or the real one behind the same faults.

Its answers were compared with those of the real one, which tests/oracles/bottlecrm runs: both keep the whole contract, and answer the same requests alike.
"""

from tests.kit.bottlecrm.members import DENIED, Member, by_status
from tests.kit.bottlecrm.server import Simulated

__all__ = ["DENIED", "Member", "Simulated", "by_status"]
