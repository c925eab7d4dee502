"""A believable shop on Kafka: ten services on real clients, each with a log of what it really did."""
