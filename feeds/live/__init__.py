"""From quotes as they arrive to Backtrader bars, whatever vendor the quotes are from.

quotes ──► ChainBook ──► BarClock says when ──► ChainDay of one row ──► LiveFeed
                                                          └──────────► SessionRecorder
"""
