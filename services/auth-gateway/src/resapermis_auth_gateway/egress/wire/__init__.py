"""How RdvPermis spells things: paths, bodies, shapes, departments, hours. Nothing outside this folder knows.

Written after rdvpermis-api.md. What no source has shown is marked [default]: when the State says otherwise, the edit is
here and nowhere else. `asks` writes calls, `shapes` are RdvPermis' objects, `reads` turns them into our messages.
"""
