"""What an operator does before the first start, and at changes of keys: it writes, unlike the questions beside it."""
