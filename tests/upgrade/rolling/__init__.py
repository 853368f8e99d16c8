"""A rolling upgrade: two releases side by side on the same databases and bus, while schools book."""
