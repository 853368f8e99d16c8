"""What is settled before an opening."""
