"""One file a resource; each route asks a service and shows its answer."""
