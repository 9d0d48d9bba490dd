"""Executions of state machines: a name is taken once, and what a crash interrupts runs again under its name."""

from __future__ import annotations

import threading
import time
from typing import Any

from caseline_local.cloud.database import Database

NAME_KEPT_SECONDS = 90 * 24 * 3600  # https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html


class Executions:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._restarting: set[str] = set()
        self._running = {row[0] for row in database.read("SELECT arn FROM executions WHERE finished IS NULL")}
        self._frozen = False
        with database.write() as write:
            write.execute("DELETE FROM executions WHERE finished < ?", (time.time() - NAME_KEPT_SECONDS,))

    def running(self) -> int:
        return len(self._running)

    def claim(self, arn: str, machine: str, name: str, text: str) -> bool:
        """Takes the name, durably; False if it was taken before."""
        with self._lock, self._database.write() as write:
            if arn in self._restarting:
                self._restarting.discard(arn)
                return True
            row = (arn, machine, name, text, "RUNNING", time.time(), None)
            taken = write.execute("INSERT OR IGNORE INTO executions VALUES (?, ?, ?, ?, ?, ?, ?)", row).rowcount == 1
            if taken:
                self._running.add(arn)
            return taken

    def finish(self, arn: str, status: str) -> None:
        with self._lock:
            if self._frozen:
                return
            with self._database.write() as write:
                write.execute("UPDATE executions SET status = ?, finished = ?, input = NULL WHERE arn = ?", (status, time.time(), arn))
            self._running.discard(arn)

    def freeze(self) -> None:
        """From now on no execution ends: what breaks because everything is being stopped will run again after the restart."""
        with self._lock:
            self._frozen = True

    def restart(self, client: Any) -> int:
        """Starts what was running when the process ended; gives how many. Those of a machine that is gone are given up."""
        rows = self._database.read("SELECT arn, machine, name, input FROM executions WHERE finished IS NULL ORDER BY started")
        for arn, machine, name, text in rows:
            self._restarting.add(arn)
            try:
                client.start_execution(stateMachineArn=machine, name=name, input=text)
            except client.exceptions.StateMachineDoesNotExist:
                self.finish(arn, "ABORTED")
        return len(rows)
