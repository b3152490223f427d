"""``python -m frameloom.client.compat``: the command where another one of its name is installed."""

from frameloom.client.compat.cli import main

main()
