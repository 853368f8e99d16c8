"""gRPC between services: who asks and what they may, the gate in front of every RPC, calls of peers, batches."""
