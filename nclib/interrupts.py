"""Signals that ask a process to end: noted, so that it can end in order."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

__all__ = ["Asked"]


@dataclass
class Asked:
    """How often this process was asked to end, and by which signal first."""

    times: int = 0
    signal: int = 0

    @contextmanager
    def listening(self) -> Iterator[Asked]:
        """Note Ctrl-C, SIGTERM and a closed terminal instead of dying; what is ignored stays so."""
        names = ("SIGINT", "SIGTERM", "SIGHUP")
        numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
        if threading.current_thread() is not threading.main_thread():
            numbers = []
        before = {number: signal.getsignal(number) for number in numbers}
        for number, handler in before.items():
            if handler is not signal.SIG_IGN:
                signal.signal(number, self._note)
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _note(self, number: int, _: object) -> None:
        self.times += 1
        self.signal = self.signal or number
