"""`run.py live`: suggestions, a person's y, n or skip, and orders, on the market of now.

Without a subscription and a broker: `--mock`, the simulated market; `--replay DATE`, a session of
the past. docs/live.md tells the rest.
"""

import argparse
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from brokers.ib.broker import IBBroker
from brokers.ib.records import LinkState
from brokers.piped import PipedApprover
from commands.options import add_ib, add_settings, add_theta, date_of, speed_of
from commands.policies import ChosenPolicy, choose_policy
from commands.results import session_result
from commands.run_folder import RUNS, is_among_runs, new_run_folder, write_config
from commands.run_log import RunLog
from commands.screen import say
from commands.start_screen import show_start
from desk.account import settled_earlier
from desk.calls import Kind, LiveCall, Suggester
from desk.context import Channel, Context
from desk.ending import Ended, end_session
from desk.gated import standing_gate
from desk.open_session import OpenDesk
from desk.opening import open_desk
from desk.settling import settle_today
from errors import SettingError
from models.feedback.people import PEOPLE
from models.model_folder import find_model
from reports.run_folder import write_run_files
from settings import Settings

FLAGS = ("data", "model", "policy", "capital", "contracts", "seed", "broker", "out")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `live`."""
    add_settings(parser, FLAGS)
    add_theta(parser)
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--mock", action="store_true", help="the simulated market: nothing else is needed"
    )
    which.add_argument("--replay", metavar="DATE", help="a session of --data, YYYY-MM-DD")
    parser.add_argument("--date", metavar="DATE", help="day of a mock session (default the next)")
    parser.add_argument(
        "--blind", action="store_true", help="a replay that hides date and level: practice"
    )
    parser.add_argument(
        "--speed",
        default=None,
        metavar="N|max",
        help="market seconds a second, mock and replay only (default 1)",
    )
    parser.add_argument(
        "--answers",
        type=Path,
        metavar="FILE",
        help="answers, one a line, instead of a person's; a session that goes on passes over those "
        "it has used",
    )
    parser.add_argument(
        "--person",
        metavar="NAME[:SEED]",
        help=f"a scripted person answers a mock session: {', '.join(PEOPLE)}",
    )
    parser.add_argument(
        "--rehearse",
        action="store_true",
        help="with --broker ib: the real order path in simulated time, on a paper account",
    )
    add_ib(parser)
    parser.add_argument(
        "--web", action="store_true", help="a web page beside the terminal; it prints its address"
    )
    parser.add_argument(
        "--assume-schema", type=int, choices=[1], help="take a zip without a card as schema 1"
    )


def main(arguments: argparse.Namespace, settings: Settings) -> int:
    """Run a session; 0 when it is over or was stopped in order.

    Raises `DeskError` where it cannot begin, in one line: nothing was traded then.
    """
    call = _call(arguments, settings)
    _check_broker(arguments, settings)
    if arguments.answers is not None:
        PipedApprover.from_file(arguments.answers)  # what is wrong with it is told before anything
    chosen = choose_policy(settings, arguments.assume_schema)
    market = settings.market.model_copy(update={"year_convention": chosen.year_convention})
    settings = settings.model_copy(update={"market": market})
    with (
        open_desk(call, settings, _suggester(chosen, settings), say) as opened,
        RunLog(opened.folder / "log.jsonl", go_on=opened.resumed) as log,
    ):
        log.write("live", session=opened.session_id, mode=opened.facts.mode)
        write_config(opened.folder, opened.settings)
        show_start(opened, chosen)
        _run(opened)
        _finish(opened, chosen)
        log.write("done", over=opened.desk.is_over)
    return 0


def _call(arguments: argparse.Namespace, settings: Settings) -> LiveCall:
    kind: Kind = "mock" if arguments.mock else "replay" if arguments.replay else "theta"
    if arguments.blind and kind != "replay":
        raise SettingError("--blind hides the date of a --replay")
    if arguments.speed is not None and kind == "theta":
        raise SettingError("--speed: the market of now goes at its own; use --mock or --replay")
    if arguments.date and kind != "mock":
        raise SettingError("--date is the day of a --mock session")
    if arguments.person and (kind != "mock" or arguments.answers):
        raise SettingError("--person answers a --mock session, and needs no --answers")
    if arguments.rehearse and settings.broker != "ib":
        raise SettingError("--rehearse is the way to use --broker ib in simulated time")
    return LiveCall(
        kind=kind,
        day=date_of(arguments.replay or arguments.date, "date"),
        speed=speed_of(arguments.speed or "1"),
        blind=arguments.blind,
        answers=arguments.answers,
        person=arguments.person,
        rehearse=arguments.rehearse,
        new_folder=lambda name: new_run_folder(settings, "live", name),
        channels=_channels(arguments.web, settings),
    )


def _channels(web: bool, settings: Settings) -> list[Callable[[Context], Channel]]:
    """What asks and tells beside the terminal."""
    channels: list[Callable[[Context], Channel]] = []
    if web:
        from dashboard.channel import WebChannel

        channels.append(WebChannel)
    if settings.live.notify is not None:
        from dashboard.notices import Notices

        channels.append(Notices)
    return channels


def _check_broker(arguments: argparse.Namespace, settings: Settings) -> None:
    if settings.broker == "simulated":
        if settings.ib.live_account is not None:
            raise SettingError("--live-account needs --broker ib")
        return
    in_time_of_its_own = arguments.mock or arguments.replay
    if in_time_of_its_own and not arguments.rehearse:
        raise SettingError("--broker ib with --mock or --replay: say --rehearse")
    if arguments.rehearse and settings.ib.live_account is not None:
        raise SettingError("a rehearsal never trades a live account: leave --live-account out")
    if settings.policy is None and "model" not in settings.model_fields_set:
        raise SettingError("--broker ib needs to be told who suggests: --model or --policy")


def _suggester(chosen: ChosenPolicy, settings: Settings) -> Suggester:
    gate = None
    if settings.policy is None:
        gate = standing_gate(find_model(settings.model).parent, chosen.sha256)
    schema = "" if chosen.card is None else str(chosen.card.schema_version)
    return Suggester(chosen.policy, chosen.sha256, schema, tuple(chosen.notes), gate)


def _run(opened: OpenDesk) -> None:
    kill_switch = opened.desk.parts.guards.kill_switch
    kill_switch.arm(opened.market.feed.wake)
    try:
        with _signals(opened):
            opened.market.start()
            opened.desk.run()
    finally:
        kill_switch.disarm()
        position = opened.desk.position
        held = 0 if position is None else position.side * position.quantity
        opened.heartbeat.stop(held, 0, "stopped")


@contextmanager
def _signals(opened: OpenDesk) -> Iterator[None]:
    """Ctrl-C and SIGTERM end the session in order."""

    def stop(number: int, frame: FrameType | None) -> None:
        opened.desk.stop(f"stopped by {signal.Signals(number).name}")

    former = {one: signal.signal(one, stop) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for one, handler in former.items():
            signal.signal(one, handler)


def _finish(opened: OpenDesk, chosen: ChosenPolicy) -> None:
    """After the close: outcomes, drift, files. A session that was stopped stays open."""
    tell = opened.person.say
    if not opened.desk.is_over:
        tell(f"{opened.desk.parting} The same command goes on with this session.")
        return
    opened.market.close()
    _settle(opened)
    tell("the session is over; comparing it with its replay")
    ended = end_session(opened.journal, opened.desk.parts.policy, opened.settings)
    for line in _ended_lines(ended, opened.market.mask.hides):
        tell(line)
    _write_files(opened, chosen, ended)
    tell(f"files: {opened.folder}")


def _settle(opened: OpenDesk) -> None:
    """What is still open at a real broker after trading has ended, and what waited for a close."""
    inner, account = opened.desk.parts.inner, opened.account.name
    if not isinstance(inner, IBBroker):
        return
    books = inner.books if inner.room.state is LinkState.UP else None
    now = opened.desk.parts.clock.market_now()
    told = [*settle_today(opened.journal, account, books, opened.desk.strategy)]
    told += settled_earlier(opened.journal, account, inner, now)
    if opened.market.mask.hides:
        told = [f"{len(told)} positions were left open: see run.py journal"] if told else []
    for sentence in told:
        opened.person.say(f"SETTLEMENT: {sentence}")


def _ended_lines(ended: Ended, is_blind: bool) -> Iterator[str]:
    """What became of the day; without dates and strikes for a person who practises blind."""
    if not is_blind:
        yield from (f"note: {note}" for note in ended.notes)
    elif ended.notes:
        yield f"{len(ended.notes)} notes: see run.py report --drift"
    if ended.drift is not None:
        yield f"drift: {ended.drift.verdict}" if is_blind else ended.drift.text()


def _write_files(opened: OpenDesk, chosen: ChosenPolicy, ended: Ended) -> None:
    if ended.day is None or ended.day.recorded == 0:
        return
    result = session_result(opened.desk.strategy, ended.day, chosen, opened.settings)
    write_run_files(opened.folder, result)
    if is_among_runs(opened.folder):
        from reports.runs_index import write_index

        write_index(RUNS)
