"""What the desk runs on: a simulated market, a session of the past, or a Theta Terminal."""

from desk.markets.market import Board, LiveMarket, Mask
from desk.markets.simulated import mock_market, replay_market
from desk.markets.theta import theta_market

__all__ = ["Board", "LiveMarket", "Mask", "mock_market", "replay_market", "theta_market"]
