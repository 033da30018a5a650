"""Which account may be traded: checked at every connection, before any order can exist.

Paper accounts are DU and digits, paper masters of advisors DF and digits; a port proves nothing.
"""

import re
from collections.abc import Sequence

from brokers.ib.records import AccountRule
from errors import AccountRefusedError

_PAPER = re.compile(r"D[UF]\d+")


def is_paper(account: str) -> bool:
    """Whether an account's name is that of a paper one."""
    return _PAPER.fullmatch(account) is not None


def permitted_account(accounts: Sequence[str], rule: AccountRule) -> str:
    """The one account to trade of those the gateway manages.

    A live account is traded only where the rule names exactly it. Raises `AccountRefusedError`
    where the rule allows none, or does not say which.
    """
    offered = ", ".join(accounts) or "no account"
    if rule.allow_live is not None:
        if rule.allow_live not in accounts:
            raise AccountRefusedError(
                f"account {rule.allow_live} was asked for, the gateway has {offered}: log in there,"
                " or leave --live-account out"
            )
        return rule.allow_live
    live = [account for account in accounts if not is_paper(account)]
    if live:
        raise AccountRefusedError(
            f"the gateway has {offered}, and {live[0]} is no paper account: log in to paper trading"
        )
    return _paper_account(accounts, rule.account, offered)


def _paper_account(accounts: Sequence[str], named: str | None, offered: str) -> str:
    if named is not None:
        if named not in accounts:
            raise AccountRefusedError(
                f"ib.account {named} is not there, the gateway has {offered}: mend ib.account"
            )
        return named
    if len(accounts) != 1:
        raise AccountRefusedError(f"the gateway has {offered}: name one with --set ib.account=ID")
    return accounts[0]
