"""The version, read by the build and by `agent-shell --version`."""

__version__ = "0.1.0"
