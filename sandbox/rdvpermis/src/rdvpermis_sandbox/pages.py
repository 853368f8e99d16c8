"""The few plain pages: sign-in, mandate, list of calls. French, no outside asset, nothing of the State's look."""

from html import escape

from fastapi.responses import HTMLResponse

_HEAD = """<!doctype html><html lang="fr"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title><style>
body{{font:1rem/1.5 system-ui,sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem;background:#faf8f4;color:#222}}
label{{display:block;margin-top:1rem}}input{{font:inherit;width:100%;padding:.5rem;box-sizing:border-box}}
button{{font:inherit;margin-top:1rem;padding:.6rem 1.2rem}}.note{{border-left:.3rem solid #a60;padding-left:.8rem}}
[role=alert]{{border-left:.3rem solid #a00;padding-left:.8rem}}td{{padding:.1rem .6rem;vertical-align:top}}
</style></head><body><main><h1>{title}</h1><p class="note">Bac à sable : service fictif, personnes inventées.</p>{body}
</main></body></html>"""
_SAFE = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def page(title: str, body: str, status: int = 200) -> HTMLResponse:
    """A page; `body` is HTML already escaped."""
    return HTMLResponse(_HEAD.format(title=escape(title), body=body), status, _SAFE)


def login(action: str, *, failed: bool) -> HTMLResponse:
    """The form with `username` and `password`, posted to `action`."""
    wrong = '<p role="alert">Identifiant ou mot de passe incorrect.</p>' if failed else ""
    return page(
        "Connexion",
        f"""{wrong}<form method="post" action="{escape(action)}">
<label for="username">Identifiant</label><input id="username" name="username" autocomplete="username" required autofocus>
<label for="password">Mot de passe</label><input id="password" name="password" type="password" autocomplete="current-password" required>
<button type="submit">Se connecter</button></form>""",
    )


def consent(action: str) -> HTMLResponse:
    """What a client asks beyond a session, posted to `action` with the person's answer."""
    buttons = """<button name="reponse" value="accepter">Autoriser</button>
<button name="reponse" value="refuser">Refuser</button>"""
    return page(
        "Accès demandé",
        f"""<p>ResaPermis demande un accès à RdvPermis en votre nom, qui reste quand vous êtes déconnecté.</p>
<form method="post" action="{escape(action)}">{buttons}</form>""",
    )


def problem(text: str, status: int = 400) -> HTMLResponse:
    """Something is wrong and nobody can be sent back."""
    return page("Demande impossible", f'<p role="alert">{escape(text)}</p>', status)


def mandate(candidate: str, school: str, group: str, state: str) -> HTMLResponse:
    """The candidate's page: two buttons while the request waits."""
    request = f"<p>{escape(candidate)}, l'établissement <strong>{escape(school)}</strong> demande un mandat pour le permis {escape(group)}.</p>"
    if state != "EN_ATTENTE":
        words = {"ACCEPTE": "Vous avez accepté ce mandat.", "REFUSE": "Vous avez refusé ce mandat."}
        return page("Mandat", f'{request}<p role="status">{words.get(state, "Cette demande est close.")}</p>')
    buttons = """<form method="post"><button name="reponse" value="accepter">Accepter le mandat</button>
<button name="reponse" value="refuser">Refuser le mandat</button></form>"""
    return page("Mandat", request + buttons)


def calls(schema: dict[str, object], address: str) -> HTMLResponse:
    """The list of operations of an OpenAPI document."""
    rows = []
    paths = schema["paths"]
    if not isinstance(paths, dict):
        raise TypeError("an OpenAPI document has paths")
    for path, operations in paths.items():
        for method, operation in operations.items():
            summary = escape(str(operation.get("description") or operation.get("summary", "")))
            rows.append(
                f"<tr><td>{escape(method.upper())}</td><td><code>{escape(path)}</code></td><td>{summary}</td></tr>"
            )
    table = f"<table><tbody>{''.join(rows)}</tbody></table>"
    return page("RdvPermis, bac à sable", f'<p><a href="{escape(address)}">OpenAPI (JSON)</a></p>{table}')
