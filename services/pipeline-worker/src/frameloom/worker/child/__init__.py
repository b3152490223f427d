"""The child process of a slot: the model runs here, never on the worker's event loop.

``protocol`` is what both sides say to each other, ``process`` the parent's side, ``__main__`` the child's.
"""
