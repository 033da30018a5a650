"""Opening and closing times of New York sessions: half days, holidays, clock changes."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from errors import DataError
from feeds.sessions import (
    FIRST_DAY,
    LAST_DAY,
    NANOSECONDS_A_MINUTE,
    NEW_YORK,
    is_session,
    last_sessions,
    session_on,
    sessions_between,
    to_nanoseconds,
    to_new_york,
)


def clock(moment: datetime) -> str:
    return f"{moment:%H:%M%z}"


def test_an_ordinary_session_opens_at_0930_and_closes_at_1600() -> None:
    session = session_on(date(2026, 10, 30))
    assert (clock(session.open), clock(session.close)) == ("09:30-0400", "16:00-0400")
    assert session.minutes == 390


@pytest.mark.parametrize("day", [date(2026, 11, 27), date(2026, 12, 24)])
def test_half_days_close_at_1300(day: date) -> None:
    session = session_on(day)
    assert (clock(session.open), clock(session.close)) == ("09:30-0500", "13:00-0500")
    assert session.minutes == 210


@pytest.mark.parametrize(
    ("day", "opening_utc"),
    [
        (date(2026, 3, 6), "14:30+0000"),  # Friday before the clocks go forward
        (date(2026, 3, 9), "13:30+0000"),
        (date(2026, 10, 30), "13:30+0000"),  # Friday before they go back
        (date(2026, 11, 2), "14:30+0000"),
    ],
)
def test_sessions_keep_new_york_time_when_the_clocks_change(day: date, opening_utc: str) -> None:
    session = session_on(day)
    assert clock(session.open.astimezone(UTC)) == opening_utc
    assert clock(session.open)[:5] == "09:30"
    assert session.minutes == 390


@pytest.mark.parametrize(
    "day",
    [
        date(2026, 1, 1),
        date(2026, 4, 3),  # Good Friday
        date(2026, 6, 19),
        date(2026, 7, 3),  # Independence Day observed
        date(2026, 11, 26),
        date(2026, 12, 25),
        date(2025, 1, 9),  # mourning for President Carter
    ],
)
def test_holidays_are_no_sessions(day: date) -> None:
    assert not is_session(day)
    with pytest.raises(DataError, match=f"{day} .* is no trading day"):
        session_on(day)


def test_a_weekend_is_named_in_one_line() -> None:
    with pytest.raises(DataError) as caught:
        session_on(date(2026, 10, 31))
    expected = "2026-10-31 (Saturday) is no trading day of the New York Stock Exchange"
    assert str(caught.value) == expected


@pytest.mark.parametrize("day", [FIRST_DAY - timedelta(1), LAST_DAY + timedelta(1)])
def test_days_outside_the_calendar_are_refused_not_guessed(day: date) -> None:
    assert not is_session(day)
    with pytest.raises(DataError, match="outside the calendar"):
        session_on(day)
    with pytest.raises(DataError, match="outside the calendar"):
        sessions_between(min(day, FIRST_DAY), max(day, LAST_DAY))


def test_a_range_holds_its_ends_and_no_holiday() -> None:
    week = sessions_between(date(2026, 11, 23), date(2026, 11, 30))
    assert [session.date.day for session in week] == [23, 24, 25, 27, 30]
    assert sessions_between(date(2026, 10, 31), date(2026, 11, 1)) == []


def test_a_reversed_range_is_refused() -> None:
    with pytest.raises(DataError, match="2026-11-02 to 2026-10-30 is reversed"):
        sessions_between(date(2026, 11, 2), date(2026, 10, 30))


def test_last_sessions_end_at_the_day_or_the_session_before_it() -> None:
    on_saturday = last_sessions(3, date(2026, 11, 28))
    assert [session.date.day for session in on_saturday] == [24, 25, 27]
    assert last_sessions(3, date(2026, 11, 27)) == on_saturday
    assert len(last_sessions(60, date(2026, 10, 30))) == 60


@pytest.mark.parametrize(
    ("count", "end"),
    [
        (2, FIRST_DAY),
        (1, FIRST_DAY - timedelta(1)),
        (1, LAST_DAY + timedelta(1)),
        (0, date(2026, 10, 30)),
    ],
)
def test_last_sessions_outside_the_calendar_are_one_line(count: int, end: date) -> None:
    with pytest.raises(DataError, match=f"{count} sessions up to {end} are not in the calendar"):
        last_sessions(count, end)


def test_minutes_are_exact_fractions_on_both_sides() -> None:
    session = session_on(date(2026, 11, 27))
    ts = session.open_ns + np.array([0, 90 * 10**9 + 500_000_000, 210 * NANOSECONDS_A_MINUTE])
    np.testing.assert_array_equal(session.minutes_since_open(ts), [0, 90.5 / 60, 210])
    np.testing.assert_array_equal(session.minutes_until_close(ts), [210, 210 - 90.5 / 60, 0])


@given(
    some.datetimes(datetime(2010, 1, 1), datetime(2027, 12, 31)),
    some.sampled_from([UTC, NEW_YORK]),
)
def test_instants_survive_nanoseconds_and_back_to_the_microsecond(
    moment: datetime, zone: object
) -> None:
    aware = moment.replace(tzinfo=UTC).astimezone(zone)  # type: ignore[arg-type]
    assert to_new_york(to_nanoseconds(aware)) == aware
    assert to_new_york(to_nanoseconds(aware) + 999) == aware
