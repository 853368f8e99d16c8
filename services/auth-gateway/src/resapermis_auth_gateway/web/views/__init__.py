"""What browsers are shown: made from the services' answers, instants in UTC, exam hours local to the centre."""
