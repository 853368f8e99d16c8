"""Numbers of the rules: proposed, previewed, approved by a second person."""
