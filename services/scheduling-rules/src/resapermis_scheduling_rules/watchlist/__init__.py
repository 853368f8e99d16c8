"""What people want watched: favourite centres and saved searches. Nothing is ever booked by it."""
