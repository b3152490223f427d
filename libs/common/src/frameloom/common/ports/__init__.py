"""The ports: what the services need of a broker, a database, an object store and a clock."""
