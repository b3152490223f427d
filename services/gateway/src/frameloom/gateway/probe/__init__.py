"""Looking into an upload before anything else touches it: in a process that can do nothing but look.

``prober`` is what the gateway uses. It keeps one ``zygote`` process, which has the media library loaded and
forks a child for each upload; the child puts itself in ``jail`` and runs ``examination``, reading the object
by ranges through a socket (``wire``). What is allowed is decided in ``rules`` and ``boxes``, which do no I/O.
"""
