"""Fetching media that a client names by address, without becoming the client's hand inside our network.

:mod:`rules` says which addresses are fine (pure), :mod:`connecting` sees to it that nothing else is connected
to, :mod:`fetching` reads the answer.
"""
