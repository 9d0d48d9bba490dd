"""The AWS services the product stands on, on this machine: durable queues and streams of our own, moto for the rest, all in one SQLite file."""
