"""Theta Terminal: quotes of today and of the past over REST (version 3), and streamed.

A body becomes `parsing.Columns`, then one of the `tables`; `answers` turns status codes into
errors; `rest.ThetaRest` asks; `tiers` finds out what the account may see; `terminal` starts the
terminal; `downloader` brings whole sessions into the chain store.

A frame of the stream becomes one of `stream_frames`; `stream_protocol.StreamProtocol` says what it
means, without a socket; `stream.ThetaStream` is the socket, and what a reader uses.

Inside, strikes are whole thousandths of a dollar and instants nanoseconds since 1970 UTC. The
terminal writes dollars and New York wall time without a zone; both are turned here, once.
"""
