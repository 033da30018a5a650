"""Interactive Brokers: one line, one account, orders followed by their executions.

link (a thread of its own, the only place that touches the library)
  └─ records ──► orders (what each order is, by executions) ──► broker (Backtrader's side)
                 reconcile (journal against account, before the first bar)
"""
