"""Which media are read: known by their first bytes, opened by one demuxer, decoded by listed codecs. Pure."""
