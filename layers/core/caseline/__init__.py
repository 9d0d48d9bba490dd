"""Caseline: customer signals from every channel, joined with account value, become one explained case."""

__version__ = "0.1.0"
