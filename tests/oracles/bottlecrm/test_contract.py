"""The contract that every CRM keeps, kept with the real BottleCRM: the tests are those of tests/contract, the `world` is another."""

# ruff: noqa: F403
from tests.contract import test_crms_changes
from tests.contract.test_crms import *
from tests.contract.test_crms_cases import *
from tests.contract.test_crms_changes import *
from tests.contract.test_crms_deaths import *
from tests.contract.test_crms_erasure import *
from tests.contract.test_crms_notes import *
from tests.contract.test_crms_people import *
from tests.contract.test_crms_setup import *
from tests.contract.test_crms_strangers import *
from tests.contract.test_crms_wire import (  # noqa: F401
    test_a_reply_lost_after_a_note_makes_no_second_note,
    test_a_reply_that_comes_too_late_makes_no_second_case,
    test_no_redirect_is_followed,
    test_wrong_credentials_are_neither_tried_again_nor_for_ever,
)

# More than its feed of activities shows, and not so many that a ticket of so many comments takes minutes.
test_crms_changes.MANY = 55

# This one is of every CRM's module, not of one CRM.
del test_opening_a_crm_loads_nothing_heavy  # noqa: F821
