"""Settings of the whole test suite."""

import signal

from hypothesis import settings

settings.register_profile("desk", deadline=None)  # a busy machine is no failure
settings.load_profile("desk")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell's background job ignores Ctrl-C, and so would every process that a test starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
