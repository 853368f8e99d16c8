"""What an operator does with keyset files; services only load them."""
