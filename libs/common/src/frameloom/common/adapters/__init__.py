"""The adapters behind the ports: MongoDB, Kafka, S3, and memory for tests."""
