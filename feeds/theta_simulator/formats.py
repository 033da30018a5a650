"""Tables as the terminal writes them: CSV, JSON in three shapes, NDJSON, HTML.

Numbers are texts of their own from here on, since the terminal writes `620.000` and `1.50`, which
no JSON library would.
"""

import html
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from feeds.sessions import NEW_YORK, Floats, to_new_york

JsonShape = Literal["grouped", "columnar", "flat"]

CONTRACT_FIELDS = ("symbol", "expiration", "strike", "right")
CONTENT_TYPES = {
    "csv": "text/csv",
    "json": "application/json",
    "ndjson": "application/x-ndjson",
    "html": "text/html",
}


class Column(NamedTuple):
    """A column as it is written; an empty text is null."""

    texts: list[str]
    quoted: bool


Table = dict[str, Column]


def text(values: Iterable[object]) -> Column:
    """Words, dates and times of day; None is null."""
    return Column(["" if value is None else str(value) for value in values], True)


def integers(values: npt.ArrayLike) -> Column:
    """Sizes, counts, codes."""
    return Column(_each(np.asarray(values, np.int64), str), False)


def prices(values: npt.ArrayLike) -> Column:
    """Dollars, two decimals, up to four where there are more; NaN is no quote: 0.00."""
    return Column(_each(np.nan_to_num(np.asarray(values, float)), _price), False)


def strikes(thousandths: npt.ArrayLike) -> Column:
    """Strikes in dollars with three decimals."""
    return Column(_each(np.asarray(thousandths, np.int64), lambda x: f"{x / 1000:.3f}"), False)


def truncated(values: Floats) -> Column:
    """Greeks and volatilities: four decimals, cut towards zero."""
    cut = np.trunc(np.nan_to_num(values) * 1e4 + np.copysign(1e-7, values)) / 1e4 + 0.0
    return Column(_each(cut, lambda x: f"{x:.4f}"), False)


def instants(ts: npt.ArrayLike) -> Column:
    """Nanoseconds as naive New York time; the fraction has no trailing zeros."""
    return Column(_each(np.asarray(ts, np.int64), instant), True)


def instant(ts: int) -> str:
    """`2025-08-20T15:59:59.8` for one instant in nanoseconds, to the millisecond."""
    moment = to_new_york(ts)
    fraction = f"{moment.microsecond // 1000:03d}".rstrip("0")
    return f"{moment:%Y-%m-%dT%H:%M:%S}{'.' if fraction else ''}{fraction}"


def milliseconds_of_day(ts: int) -> int:
    """Milliseconds from New York's midnight to `ts` nanoseconds, as a clock on the wall shows."""
    moment = to_new_york(ts).astimezone(NEW_YORK)
    seconds = (moment.hour * 60 + moment.minute) * 60 + moment.second
    return seconds * 1000 + moment.microsecond // 1000


def rows(table: Table) -> int:
    """How many rows a table has."""
    return len(next(iter(table.values())).texts)


def written(table: Table, form: str, shape: JsonShape) -> str:
    """The body of an answer in one of `CONTENT_TYPES`."""
    if form == "csv":
        return _csv(table)
    if form == "ndjson":
        return "".join(f"{line}\n" for line in _objects(table, table))
    if form == "html":
        return _html(table)
    return _json(table, shape)


def _csv(table: Table) -> str:
    lines = map(",".join, zip(*(column.texts for column in table.values()), strict=True))
    return "\r\n".join((",".join(table), *lines, ""))


def _json(table: Table, shape: JsonShape) -> str:
    if shape == "columnar":
        columns = (f'"{name}":[{",".join(_values(table[name]))}]' for name in table)
        return f"{{{','.join(columns)}}}"
    is_ticks = set(CONTRACT_FIELDS) < set(table)
    if shape == "grouped" and is_ticks:
        return f'{{"response":[{",".join(_groups(table))}]}}'
    return f'{{"response":[{",".join(_objects(table, table))}]}}'


def _groups(table: Table) -> Iterable[str]:
    """One object a contract, its rows below it, in the order of the table."""
    contracts = _objects(table, CONTRACT_FIELDS)
    data = _objects(table, [name for name in table if name not in CONTRACT_FIELDS])
    groups: dict[str, list[str]] = {}
    for contract, row in zip(contracts, data, strict=True):
        groups.setdefault(contract, []).append(row)
    for contract, lines in groups.items():
        yield f'{{"contract":{contract},"data":[{",".join(lines)}]}}'


def _objects(table: Table, names: Iterable[str]) -> Iterable[str]:
    """Each row as a JSON object of the named columns."""
    parts = [[f'"{name}":{value}' for value in _values(table[name])] for name in names]
    return (f"{{{','.join(row)}}}" for row in zip(*parts, strict=True))


def _html(table: Table) -> str:
    def line(cells: Iterable[str], tag: str) -> str:
        return f"<tr>{''.join(f'<{tag}>{html.escape(cell)}</{tag}>' for cell in cells)}</tr>"

    body = (line(row, "td") for row in zip(*(c.texts for c in table.values()), strict=True))
    return f"<table>{line(table, 'th')}{''.join(body)}</table>"


def _values(column: Column) -> Sequence[str]:
    if column.quoted:
        return [json.dumps(value) if value else "null" for value in column.texts]
    return [value or "null" for value in column.texts]


def _each(values: npt.NDArray[np.generic], form: Callable[[int], str]) -> list[str]:
    """The texts of `values` in order, each distinct value formatted once."""
    distinct, place = np.unique(values.reshape(-1), return_inverse=True)
    known = np.array([form(value) for value in distinct.tolist()], object)
    return known[place].tolist() if distinct.size else []


def _price(dollars: float) -> str:
    exact = f"{dollars:.4f}"
    return exact[:-2] if exact.endswith("00") else exact.rstrip("0")
