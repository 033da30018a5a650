"""The simulated market: made-up SPY same-day chains that measure like real ones."""

from feeds.simulation.faults import MarketFaults
from feeds.simulation.market import SimulatedMarket, default_sessions

__all__ = ["MarketFaults", "SimulatedMarket", "default_sessions"]
