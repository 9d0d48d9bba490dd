"""The contract that every CRM keeps, kept with the real BottleCRM: the tests are those of tests/contract, the `world` is another."""

# ruff: noqa: F403
from tests.contract import test_crms_changes
from tests.contract.test_crms import *
from tests.contract.test_crms_cases import *
from tests.contract.test_crms_changes import *
from tests.contract.test_crms_deaths import *
from tests.contract.test_crms_notes import *
from tests.contract.test_crms_people import *
from tests.contract.test_crms_setup import *
from tests.contract.test_crms_strangers import *
from tests.contract.test_crms_wire import *

# More than its feed of activities shows, and not so many that a ticket of so many comments takes minutes.
test_crms_changes.MANY = 55

# These two are of every CRM's module, not of one CRM.
del test_each_crm_has_a_kit, test_opening_a_crm_loads_nothing_heavy  # noqa: F821
