"""What the gateway does, without HTTP: handlers call these, these call the ports."""
