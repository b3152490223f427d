"""The results service: stores annotation chunks, assembles the formats, makes one result visible.

In reading order: ``handlers`` (what arrives), ``layout`` (pure: keys in the bucket), ``chunks`` (kept and
streamed), ``assembly`` (chunks to files, streaming), ``publishing`` (manifest, visibility flip), ``tidying``
(what is no longer needed), ``orphans`` (what nobody knows of).
"""
