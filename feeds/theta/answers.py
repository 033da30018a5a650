"""Status codes of the terminal as errors that say what to do.

Bodies are plain text of no fixed wording, so the code alone decides. Two texts are the exception:
with 473 and 500 they tell a stolen session from a wrong parameter or a fault.
"""

from errors import (
    FeedError,
    NoSubscriptionError,
    RequestRefusedError,
    SessionLostError,
    TemporaryFeedError,
    TerminalUnreachableError,
    TooLargeError,
)

OK, NO_DATA = 200, 472

_LOST = (
    SessionLostError,
    "another terminal took this account's session; close it (Excel and other programs count), "
    "then restart this terminal",
)
_TEXTS_OF_A_LOST_SESSION = ("badsession", "invalid session")

_ANSWERS: dict[int, tuple[type[FeedError], str]] = {
    403: (
        NoSubscriptionError,
        "the subscription does not include it; docs/theta.md says which does",
    ),
    404: (RequestRefusedError, "the terminal does not know this path; update it by a restart"),
    410: (
        RequestRefusedError,
        "the terminal speaks another version of the interface; please report",
    ),
    429: (TemporaryFeedError, "too many requests at once; stop other programs on this account"),
    470: (TemporaryFeedError, "the terminal reports a general fault; restart it if that goes on"),
    471: (
        NoSubscriptionError,
        "the subscription does not include it; docs/theta.md says which does",
    ),
    473: (RequestRefusedError, "the terminal does not accept a parameter; update it by a restart"),
    474: (
        TemporaryFeedError,
        "the terminal lost its connection to Theta Data; wait, it reconnects",
    ),
    475: (RequestRefusedError, "the terminal could not read the request; please report"),
    476: (
        TerminalUnreachableError,
        "the terminal was first asked under another host name; use 127.0.0.1 in every program "
        "and restart it",
    ),
    477: (
        RequestRefusedError,
        "the terminal speaks another version of the interface; please report",
    ),
    478: _LOST,
    570: (TooLargeError, "more data than one request may ask for; choose a longer interval"),
    571: (TemporaryFeedError, "the terminal is starting; wait"),
    572: (TemporaryFeedError, "the terminal failed on it; restart it if that goes on"),
}


def check_answer(status: int, text: str, what: str) -> bool:
    """Whether there are data: True for 200, False for 472.

    Args:
        status: the HTTP status code.
        text: beginning of the body.
        what: what was asked for, in words for the person.

    Raises the `FeedError` that says what to do for every other code.
    """
    if status in (OK, NO_DATA):
        return status == OK
    kind, advice = _meaning(status, text.lower())
    raise kind(f"Theta answered {status} to {what}: {advice}")


def _meaning(status: int, text: str) -> tuple[type[FeedError], str]:
    if status in (473, 500) and any(words in text for words in _TEXTS_OF_A_LOST_SESSION):
        return _LOST
    if status in _ANSWERS:
        return _ANSWERS[status]
    if status >= 500:
        return TemporaryFeedError, "the terminal failed on it; restart it if that goes on"
    return RequestRefusedError, "the terminal refuses the request; update it by a restart"
