"""Settings of the whole test suite."""

from hypothesis import settings

settings.register_profile("desk", deadline=None)  # a busy machine is no failure
settings.load_profile("desk")
