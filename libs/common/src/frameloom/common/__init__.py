"""What every Frameloom service shares: events, documents, state machines, ports and adapters."""

__version__ = "0.1.0"
