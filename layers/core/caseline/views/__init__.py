"""The reading side: JSON views of customers, timelines, cases and counts, built from table rows. Nothing here writes."""

from __future__ import annotations

from caseline.views.cases import list_cases, show_case, summarise_open
from caseline.views.crm import show_crm
from caseline.views.customers import find_customers, show_customer
from caseline.views.signals import show_signal
from caseline.views.stats import Gauges, list_channels, read_stats
from caseline.views.timeline import read_timeline

__all__ = [
    "Gauges",
    "find_customers",
    "list_cases",
    "list_channels",
    "read_stats",
    "read_timeline",
    "show_case",
    "show_crm",
    "show_customer",
    "show_signal",
    "summarise_open",
]
