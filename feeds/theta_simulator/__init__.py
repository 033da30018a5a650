"""A stand-in for Theta Terminal v3: REST and WebSocket on 127.0.0.1 over any chain source."""
