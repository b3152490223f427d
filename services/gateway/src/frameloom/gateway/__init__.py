"""The gateway: REST, uploads, downloads and live events. Stateless; any number of them may run."""
