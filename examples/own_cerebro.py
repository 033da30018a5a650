"""The desk's pieces in a Cerebro script of your own: sell the at-the-money put at 10:00.

Run it with `python examples/own_cerebro.py`.
"""

import backtrader as bt

from brokers.approval import ApprovalBroker
from brokers.approvers import AutomaticApprover
from brokers.chain_broker import ChainBroker
from feeds.chain_feed import ChainFeed
from feeds.simulation.market import SimulatedMarket, default_sessions
from strategies.baselines import baseline
from strategies.ppo_strategy import PPOStrategy

cerebro = bt.Cerebro(stdstats=False, quicknotify=True)
cerebro.adddata(ChainFeed(SimulatedMarket(default_sessions(5))))
cerebro.setbroker(ApprovalBroker(ChainBroker(cash=80_000), AutomaticApprover()))
cerebro.addstrategy(PPOStrategy, policy=baseline("sell_put@10:00"))
cerebro.addanalyzer(bt.analyzers.TradeAnalyzer, _name="trades")
(strategy,) = cerebro.run()

for trip in strategy.tracker.round_trips:
    print(f"{trip.contract}  {trip.entry_price:.2f} -> {trip.exit_price:.2f}  {trip.exit_reason}")
print(f"value {cerebro.broker.getvalue():,.2f} dollars")
