"""What to want: features, positions, rules, policies and the Backtrader strategy."""
