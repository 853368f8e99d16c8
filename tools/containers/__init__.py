"""docker-compose.yml: what it mounts, who may reach whom in it, and how a running stack of it is tried."""
