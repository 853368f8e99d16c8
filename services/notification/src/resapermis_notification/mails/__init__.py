"""Notices as mails: written, and sent until the server has taken them."""
