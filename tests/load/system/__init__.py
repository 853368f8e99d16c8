"""The platform under measure, with RdvPermis answered by a responder of its own."""
