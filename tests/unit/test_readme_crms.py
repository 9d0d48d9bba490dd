"""The README's table of CRMs has each, with all that an admin asks first."""

import re
from pathlib import Path

import pytest
from caseline.crm import crm_names

ROOT = Path(__file__).parents[2]
HEADING = ["CRM", "Accounts", "Cases", "Credential", "Calls for a new case", "How changes come back"]


def read_rows():
    lines = (ROOT / "README.md").read_text().split("| CRM |")[1].split("\n\n")[0].splitlines()
    return {cells[0].strip("`"): cells for cells in ([cell.strip() for cell in line.strip().strip("|").split(" | ")] for line in lines[2:])}


def test_the_table_is_in_order_and_has_no_crm_that_is_not():
    assert list(read_rows()) == sorted(read_rows()) and set(read_rows()) <= set(crm_names())
    assert f"| {' | '.join(HEADING)} |" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("name", crm_names())
def test_each_crm_has_a_row_and_its_guide(name):
    assert name in read_rows(), f"add `{name}` to the README's table of CRMs: {', '.join(HEADING)}"
    cells = read_rows()[name]
    assert len(cells) == len(HEADING) and all(cells), f"the row of {name} has {len(cells)} cells instead of {', '.join(HEADING)}"
    for link in re.findall(r"\]\((infra/[^)]*)\)", " ".join(cells)):
        assert (ROOT / link).is_file(), link
    assert name == "builtin" or f"infra/crm/{name}/README.md" in cells[2]
