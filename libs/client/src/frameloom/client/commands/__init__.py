"""The commands of ``frameloom``, one module each: options in, a call, rendering out.

Their functions import what they need when they run, so that ``frameloom --help`` pays for none of it.
"""
