"""The AWS services the product stands on, on this machine: durable queues and streams of our own, moto for the rest, all in one SQLite file."""

from caseline_local.cloud.cloud import Cloud

__all__ = ["Cloud"]
