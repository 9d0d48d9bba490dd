"""A simulator that speaks ServiceNow's Table, Aggregate and Batch APIs over HTTP.

with servicenow() as sim:
    sim.instance.insert("customer_account", {"name": "Globex"}, PERSON)
    sim.faults.add("answer", match="PATCH .*/sn_customerservice_case", status=503, times=2)
    ... requests to sim.url ...
    sim.instance.rows("sn_customerservice_case"), sim.api_calls()
"""

from tests.kit.servicenow.errors import by_status
from tests.kit.servicenow.instance import BRIDGE, PERSON, Instance
from tests.kit.servicenow.server import CLIENT_ID, CLIENT_SECRET, PASSWORD, Simulator, servicenow

__all__ = ["BRIDGE", "CLIENT_ID", "CLIENT_SECRET", "PASSWORD", "PERSON", "Instance", "Simulator", "by_status", "servicenow"]
