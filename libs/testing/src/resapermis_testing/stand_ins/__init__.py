"""What stands in for what others run, where a test needs to see what came there."""
