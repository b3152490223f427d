"""What schemathesis does not know by itself: pieces of a resumable upload are plain bytes."""

import schemathesis

schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")
