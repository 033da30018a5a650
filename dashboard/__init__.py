"""The local web page: the open question with its answers, the market, and the state of the desk.

`dashboard.channel.WebChannel` is one more channel of the desk, beside the terminal. It runs in
threads of its own and hands over by queues; nothing here can hold up or end a session.
"""
