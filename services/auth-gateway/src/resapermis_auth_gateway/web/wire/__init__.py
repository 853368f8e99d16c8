"""JSON ↔ the services' messages, one module a resource: bodies that browsers send, views that they are shown."""
