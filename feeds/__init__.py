"""What the market says: contracts, sessions, chains, quotes, option maths, stores and feeds."""
