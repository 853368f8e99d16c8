"""What a migration may do while the release before runs beside it."""
