"""`run.py simulate`: stand-ins for Theta Terminal v3, and if wanted IB Gateway, on this machine."""

import argparse
import math
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from brokers.ib_gateway import ChainDayMarket, SimulatedGateway
from commands.market_data import open_source
from commands.options import add_settings, date_of, speed_of
from commands.screen import say
from errors import SettingError
from feeds.sessions import to_new_york
from feeds.source import ChainSource
from feeds.theta_simulator.faults import FAULTS
from feeds.theta_simulator.server import SimulatedTerminal
from settings import SIMULATED, Settings

FLAGS = ("data", "start", "end", "seed")
HTTP_PORT, WS_PORT = 25503, 25520


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `simulate`."""
    add_settings(parser, FLAGS)
    parser.add_argument(
        "--date", metavar="DATE", help="session to begin with (default the last of the data)"
    )
    parser.add_argument(
        "--speed",
        default="1",
        metavar="N|max",
        help="market seconds a second; max: as fast as messages are taken (default 1)",
    )
    ports = (("http", "REST", HTTP_PORT), ("ws", "WebSocket", WS_PORT))
    for name, what, port in ports:
        parser.add_argument(
            f"--{name}-port",
            type=int,
            default=port,
            metavar="PORT",
            help=f"port of {what}, 0 for any that is free (default {port})",
        )
    parser.add_argument(
        "--ib-port",
        type=int,
        metavar="PORT",
        help="stand in for IB Gateway too, on this port, with the same market (paper 4002)",
    )
    parser.add_argument(
        "--tier",
        default="pro",
        metavar="NAME",
        help="free, value, standard or pro; or options/stocks, standard/free say (default pro)",
    )
    parser.add_argument(
        "--fault",
        nargs="+",
        default=[],
        metavar="NAME",
        help=f"faults to begin with: {', '.join(FAULTS)}",
    )


def main(arguments: argparse.Namespace, settings: Settings) -> int:
    """Serve until Ctrl-C or a client's /v3/terminal/shutdown; 0 then.

    Raises `SettingError` for a tier, fault, speed, date or port that cannot be, and `DataError`
    where there are no such data.
    """
    day = date_of(arguments.date, "--date")
    if day and settings.data == SIMULATED and settings.end is None:
        settings = settings.model_copy(update={"end": day})
    speed = speed_of(arguments.speed)
    source = open_source(settings, settings.market.year_convention)
    terminal = SimulatedTerminal(
        source,
        tier=arguments.tier,
        speed=speed,
        date=day,
        http_port=_port(arguments.http_port),
        ws_port=_port(arguments.ws_port),
        faults=arguments.fault,
        spread_quotes=speed < math.inf,
    )
    former = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with terminal, _gateway(arguments.ib_port, source, terminal):
            _tell(terminal)
            terminal.wait()
    except KeyboardInterrupt:
        pass  # the way to end it
    finally:
        signal.signal(signal.SIGTERM, former)
    say("stopped")
    return 0


@contextmanager
def _gateway(
    port: int | None, source: ChainSource, terminal: SimulatedTerminal
) -> Iterator[SimulatedGateway | None]:
    """The stand-in for IB Gateway over the terminal's session; none without a port."""
    if port is None:
        yield None
        return
    today = to_new_york(terminal.now).date()
    dates = [session.date for session in source.sessions]
    day = source.load(dates.index(today))
    market = ChainDayMarket(day, lambda: terminal.now)
    with SimulatedGateway(market, port=_port(port)) as gateway:
        say(f"simulated IB Gateway: port {gateway.port}, paper account DU1234567, {today} only")
        yield gateway


def _tell(terminal: SimulatedTerminal) -> None:
    inner = terminal.terminal
    dates, now = sorted(inner.market.sessions), to_new_york(terminal.now)
    span = f"{len(dates)} sessions of {inner.market.symbol}, {dates[0]} to {dates[-1]}"
    say(f"simulated Theta Terminal: {inner.subscription}")
    say(f"  {span}; market time {now:%Y-%m-%d %H:%M}")
    say(f"  REST       {terminal.url}/v3")
    say(f"  WebSocket  {terminal.ws_url}")
    say("try:")
    expiration = f"symbol={inner.market.symbol}&expiration={now:%Y-%m-%d}"
    say(f"  curl '{terminal.url}/v3/option/snapshot/quote?{expiration}&strike_range=2'")
    say(f"  curl {terminal.url}/simulator              (state, and what every fault does)")
    say(f'  curl {terminal.url}/simulator/faults -d \'{{"on": ["429", "latency=0.5"]}}\'')
    say(f'  curl {terminal.url}/simulator/faults -d \'{{"off": "all"}}\'')
    say(f'  curl {terminal.url}/simulator/clock -d \'{{"time": "{now:%Y-%m-%d}T12:00:00"}}\'')
    say("Ctrl-C ends it")


def _port(port: int) -> int:
    if not 0 <= port < 65536:
        raise SettingError(f"port {port}: choose one from 0 to 65535")
    return port
