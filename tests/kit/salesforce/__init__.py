"""A simulator that speaks Salesforce's REST API over HTTP.

    with salesforce() as sim:
        sim.org.add("Account", Name="Globex")
        sim.faults.add("answer", match="PATCH .*/Case", status=503, times=2)
        ... requests to sim.url ...
        sim.org.all("Case"), sim.rest_calls()
"""

from tests.kit.salesforce.org import Org
from tests.kit.salesforce.server import AUDIENCE, CLIENT_ID, CLIENT_SECRET, USERNAME, Simulator, salesforce

__all__ = ["AUDIENCE", "CLIENT_ID", "CLIENT_SECRET", "USERNAME", "Org", "Simulator", "salesforce"]
