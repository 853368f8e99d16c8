"""What is seen of the pages in a real browser, on a stack of their own: how fast they are, and pictures of them."""
