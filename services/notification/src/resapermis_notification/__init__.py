"""Inbox, mail and live feed."""
