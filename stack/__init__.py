"""The embedded PostgreSQL, Valkey and Apache Kafka, and the supervisor that runs them with Weir's own parts."""
