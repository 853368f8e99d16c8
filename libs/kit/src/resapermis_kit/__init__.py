"""What it takes to be a service of ResaPermis: settings, database, bus, gRPC, rights, telemetry, run loop."""
