"""A believable shop on Kafka: fifteen services on real clients, each with a log of what it really did."""
