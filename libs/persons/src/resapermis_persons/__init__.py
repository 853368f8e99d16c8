"""How a person's name and e-mail address are written down. Pure: no network, nothing stored."""
