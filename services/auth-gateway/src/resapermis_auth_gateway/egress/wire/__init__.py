"""RdvPermis' spelling: paths, bodies, shapes, departments, hours. Nothing outside this folder knows.

Written after rdvpermis-api.md. What no source has shown is marked [default]: when the State decides otherwise, the edit is
here and nowhere else. `calls` writes calls, `shapes` are RdvPermis' objects, `answers` turns them into our messages.
"""
