"""The client side of Frameloom: a typed HTTP client and the ``frameloom`` command.

It speaks the gateway's REST API and needs no other part of Frameloom. This file imports nothing, so that
the command starts quickly; take what you need from :mod:`frameloom.client.api` (asynchronous),
:mod:`frameloom.client.sync`, :mod:`frameloom.client.events` and :mod:`frameloom.client.models`.
"""

__version__ = "0.1.0"
