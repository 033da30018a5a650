"""A stand-in for IB Gateway: its wire protocol, its books, a matching engine, and its faults."""

from brokers.ib_gateway.gateway import SimulatedGateway
from brokers.ib_gateway.market import ChainDayMarket, GatewayMarket, ManualMarket

__all__ = ["ChainDayMarket", "GatewayMarket", "ManualMarket", "SimulatedGateway"]
