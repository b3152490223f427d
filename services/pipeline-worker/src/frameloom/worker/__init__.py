"""The pipeline worker: claims tasks, decodes media, runs pipelines in child processes, streams annotations.

In reading order: ``intake`` (messages to claims), ``claims`` (compare-and-set on the task), ``lease`` (signs
of life, progress, cancel), ``execution`` (one attempt from claim to hand-over), ``child`` (the process that
computes, and its parent side), then ``frames``, ``models`` and ``pipelines``, which run inside the child.
"""
