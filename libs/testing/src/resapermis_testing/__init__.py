"""What tests need: real PostgreSQL and NATS, gRPC with mutual TLS, certificates, mutated messages. No product code imports it."""
