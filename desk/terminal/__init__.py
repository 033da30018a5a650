"""The terminal: a person's answers and instructions, and the desk's state below the prompt."""

from desk.terminal.approver import TerminalApprover
from desk.terminal.screen import TerminalScreen

__all__ = ["TerminalApprover", "TerminalScreen"]
