"""What a claim of the ledger is checked by: functions that measure an error against its bar."""

from .check import Check

__all__ = ["Check"]
