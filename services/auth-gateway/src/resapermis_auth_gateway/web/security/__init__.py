"""What any browser meets before a route does: bodies, headers, rates, addresses, files."""
