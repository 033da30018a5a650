"""When things count that happen between two bars, and what positions are worth."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some
from ib_desk import NOON, PUT_628, Condition, Desk, manual_market
from market import SESSION

from brokers.ib.bar_view import BarView
from brokers.ib.ledger import Ledger
from brokers.ib_gateway import ManualMarket, SimulatedGateway

MINUTE = 60_000_000_000


class Snapshot:
    def __init__(self, ts: int) -> None:
        self.ts, self.session = ts, SESSION


class Feed:
    """Bars whose newest stands at `ts`."""

    def __init__(self, bars: int, ts: int) -> None:
        self._bars, self._ts = bars, ts

    def __len__(self) -> int:
        return self._bars

    def snapshot(self) -> Snapshot:
        return Snapshot(self._ts)


def between_bars(ts: int) -> BarView:
    view = BarView(Ledger(80_000.0), 60)
    view.look(Feed(1, ts))
    view.look(Feed(1, ts))
    return view


@given(some.integers(0, 389), some.integers(0, 5 * MINUTE))
def test_nothing_counts_after_a_bar_that_is_still_to_come(minute: int, late: int) -> None:
    bar = SESSION.open_ns + minute * MINUTE
    stamp = between_bars(bar).stamp(bar + late)
    assert bar <= stamp < bar + MINUTE
    assert stamp == min(bar + late, bar + MINUTE - 1)


def test_what_happens_long_after_the_last_bar_keeps_its_own_time() -> None:
    bar = SESSION.open_ns + 10 * MINUTE
    assert between_bars(bar).stamp(bar + 7 * MINUTE) == bar + 7 * MINUTE
    assert between_bars(SESSION.close_ns).stamp(SESSION.close_ns + MINUTE) == (
        SESSION.close_ns + MINUTE
    )


def test_at_a_bar_nothing_counts_later_than_the_bar() -> None:
    view = BarView(Ledger(80_000.0), 60)
    assert view.stamp(5) == 5  # before the first
    view.look(Feed(1, NOON))
    assert view.stamp(NOON + 1) == NOON


@pytest.fixture
def quotes() -> ManualMarket:
    return manual_market()


def test_a_fill_of_a_late_bar_is_told_and_journaled_before_it(
    quotes: ManualMarket, tmp_path: Path
) -> None:
    with SimulatedGateway(quotes) as gateway:
        desk = Desk(gateway.port, tmp_path, quotes)

        def script(desk: Desk) -> Iterator[Condition]:
            desk.enter()
            yield lambda: desk.orders("entry") and desk.orders("entry")[0].can_act
            desk.clock.pass_seconds(75.0)
            desk.market.set_quote(PUT_628, 2.40, 2.50)
            yield lambda: desk.held() == -1

        desk.run(script)
    (fill,) = {one.execution_id: one for _, fills, _ in desk.news for one in fills}.values()
    assert fill.ts == NOON + MINUTE - 1


def test_an_exit_that_is_put_before_a_person_needs_no_margin(
    quotes: ManualMarket, tmp_path: Path
) -> None:
    with SimulatedGateway(quotes) as gateway:
        desk = Desk(gateway.port, tmp_path, quotes)

        def script(desk: Desk) -> Iterator[Condition]:
            desk.enter()
            desk.market.set_quote(PUT_628, 2.40, 2.50)
            yield lambda: desk.held() == -1 and desk.orders("stop") and desk.is_calm()
            leaving = desk.leave()
            assert leaving.info["order_ref"] == ""  # no intent but the broker's own
            desk.broker.prepare(leaving)
            yield desk.flat

        desk.run(script)
        assert len(gateway.orders) == 2
