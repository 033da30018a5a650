"""What happens to an order: fills, approval, brokers."""
