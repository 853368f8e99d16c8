"""What is done unasked so that lines say what RdvPermis says, and end when they shall."""
