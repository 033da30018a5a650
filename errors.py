"""One tree of errors, grouped by what the person should do about them.

    DeskError
    ├── UserError              mend the call, the settings or the file (exit code 2)
    │   ├── SettingError       a flag, an environment variable or a line of config.toml is wrong
    │   ├── DataError          a file or a range of dates cannot be used
    │   └── ModelError         a policy cannot be used
    ├── FeedError              market data cannot be had
    │   ├── NoSubscriptionError       buy what is named (exit code 2)
    │   ├── SessionLostError          close the other terminal, restart this one (exit code 2)
    │   ├── TerminalUnreachableError  start the terminal, mend the address (exit code 2)
    │   ├── TemporaryFeedError        wait: asked again by itself, this was the last try
    │   │   └── MalformedAnswerError  what came back is no answer
    │   ├── TooLargeError             ask for less
    │   └── RequestRefusedError       update the terminal, or report it
    ├── BrokerError            the broker cannot be asked, or does not answer
    │   ├── GatewayUnreachableError   start TWS or IB Gateway, mend the address (exit code 2)
    │   └── AccountRefusedError       an account that may not be traded (exit code 2)
    ├── JournalError           the journal cannot be written: nothing may be traded
    └── InternalError          our mistake (exit code 1): please report it

Every message is one line that says what is wrong, where, and what to do. `run.py` prints it
and turns the error into its exit code; nobody else catches `DeskError` without a reason.
"""


class DeskError(Exception):
    """Base of every error the desk raises on purpose."""

    exit_code = 1


class UserError(DeskError):
    """The person can mend it: a wrong flag, file, date or model."""

    exit_code = 2


class SettingError(UserError):
    """A setting has a wrong name or value."""


class DataError(UserError):
    """Market data that cannot be used: a missing file, wrong columns, a corrupt session."""


class ModelError(UserError):
    """A policy that cannot be used: no such model, not a policy, wrong spaces or card."""


class FeedError(DeskError):
    """Market data cannot be had. A day without data is no error but an empty table."""


class NoSubscriptionError(FeedError):
    """The account may not see this."""

    exit_code = 2


class SessionLostError(FeedError):
    """Another terminal took the account's session."""

    exit_code = 2


class TerminalUnreachableError(FeedError):
    """No terminal answers at the address."""

    exit_code = 2


class TemporaryFeedError(FeedError):
    """Busy, starting or disconnected: it passes."""


class MalformedAnswerError(TemporaryFeedError):
    """An answer that cannot be read: cut short, or of a shape nobody knows."""


class TooLargeError(FeedError):
    """More than one request may ask for."""


class RequestRefusedError(FeedError):
    """A path or parameter that this terminal does not know."""


class BrokerError(DeskError):
    """The broker cannot be asked, or has not answered: what it holds is unknown, never empty."""


class GatewayUnreachableError(BrokerError):
    """Nothing answers at the gateway's address."""

    exit_code = 2


class AccountRefusedError(BrokerError):
    """The account behind the gateway is not one that may be traded."""

    exit_code = 2


class JournalError(DeskError):
    """The journal cannot be read or written: a full disk, a newer version, a damaged file."""


class InternalError(DeskError):
    """A promise of our own code was broken."""
