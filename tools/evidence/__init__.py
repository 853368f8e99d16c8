"""What stands behind each requirement: the list, the tests that name it, the states written by hand, the page, the controls."""
