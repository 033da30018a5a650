"""Everything of the stand-in that lasts: one JSON file, replaced whole at every change."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from brokers.ib_gateway.records import (
    GatewayExecution,
    GatewayOrder,
    Holding,
    Instrument,
    OrderTerms,
    Status,
)
from errors import DataError

VERSION = 1
FIRST_PERMANENT_ID = 1_417_220_001
FIRST_OPTION = 700_000_001
EXECUTION_PREFIX = "0000e0d5"


class Ledger:
    """Orders by permanent id, executions in order, holdings and cash by account."""

    def __init__(self, path: Path | None, cash: Mapping[str, float]) -> None:
        """As `path` has it, else new with `cash` an account. Raises `DataError` if unreadable."""
        self.orders: dict[int, GatewayOrder] = {}
        self.executions: list[GatewayExecution] = []
        self.holdings: dict[str, dict[int, Holding]] = {}
        self.instruments: dict[int, Instrument] = {}
        self.next_order_ids: dict[int, int] = {}
        self.cash = dict(cash)
        self._permanent_id = FIRST_PERMANENT_ID
        self._execution = 1
        self._path = path
        if path is not None and path.exists():
            self._load(path)

    def permanent_id(self) -> int:
        """A new one."""
        self._permanent_id += 1
        return self._permanent_id

    def execution_id(self) -> str:
        """A new one, of revision 01."""
        self._execution += 1
        return f"{EXECUTION_PREFIX}.{0x6A1B2C3D + self._execution:08x}.01.01"

    def next_order_id(self, client_id: int) -> int:
        """The lowest id that a client may use now."""
        return self.next_order_ids.get(client_id, 1)

    def order(self, client_id: int, order_id: int) -> GatewayOrder | None:
        """The order that a client placed under an id."""
        for order in self.orders.values():
            if (order.client_id, order.order_id) == (client_id, order_id):
                return order
        return None

    def holding(self, account: str, con_id: int) -> Holding:
        """Of an instrument, empty where none is held."""
        return self.holdings.get(account, {}).get(con_id, Holding())

    def hold(self, account: str, con_id: int, holding: Holding) -> None:
        """Replace a holding; an empty one is forgotten."""
        mine = self.holdings.setdefault(account, {})
        mine[con_id] = holding
        if not holding.quantity:
            del mine[con_id]

    def save(self) -> None:
        """To disk, whole or not at all. A ledger without a path only lives in memory."""
        if self._path is None:
            return
        new = self._path.with_name(f"{self._path.name}.new")
        new.write_text(json.dumps(self._content()))
        os.replace(new, self._path)

    def _content(self) -> dict[str, Any]:
        return {
            "version": VERSION,
            "permanent_id": self._permanent_id,
            "execution": self._execution,
            "cash": self.cash,
            "next_order_ids": self.next_order_ids,
            "instruments": [asdict(one) for one in self.instruments.values()],
            "orders": [asdict(one) for one in self.orders.values()],
            "executions": [asdict(one) for one in self.executions],
            "holdings": {
                account: {con_id: asdict(one) for con_id, one in mine.items()}
                for account, mine in self.holdings.items()
            },
        }

    def _load(self, path: Path) -> None:
        try:
            content = json.loads(path.read_text())
            if content["version"] != VERSION:
                raise ValueError(f"version {content['version']}")
            self._take(content)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path} is no state of the gateway stand-in ({error})") from error

    def _take(self, content: dict[str, Any]) -> None:
        self._permanent_id, self._execution = content["permanent_id"], content["execution"]
        self.cash |= content["cash"]
        self.next_order_ids = {int(k): v for k, v in content["next_order_ids"].items()}
        self.instruments = {one["con_id"]: Instrument(**one) for one in content["instruments"]}
        self.executions = [GatewayExecution(**one) for one in content["executions"]]
        for one in content["orders"]:
            fields = one | {"terms": OrderTerms(**one["terms"]), "status": Status(one["status"])}
            self.orders[one["permanent_id"]] = GatewayOrder(**fields)
        self.holdings = {
            account: {int(con_id): Holding(**one) for con_id, one in mine.items()}
            for account, mine in content["holdings"].items()
        }
