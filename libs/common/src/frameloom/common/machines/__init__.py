"""The state machines of job, task and lease: pure functions over documents, without I/O."""
