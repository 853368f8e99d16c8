"""Wiring: one FastAPI application under the faults, and what runs beside it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

import aiosmtplib
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from rdvpermis_sandbox import pages, snapshot
from rdvpermis_sandbox.api import baskets, exams, school
from rdvpermis_sandbox.api.gate import NotAdmitted, gate_of
from rdvpermis_sandbox.clock import Clock
from rdvpermis_sandbox.control import rivals, routes
from rdvpermis_sandbox.control.faults import Faults
from rdvpermis_sandbox.domain import rules
from rdvpermis_sandbox.domain.model import Mail, Mandate, Refused
from rdvpermis_sandbox.domain.refusals import STATUS
from rdvpermis_sandbox.domain.state import State
from rdvpermis_sandbox.identity import introspection, oidc
from rdvpermis_sandbox.identity.tokens import Tokens
from rdvpermis_sandbox.limits import Limits
from rdvpermis_sandbox.settings import Settings

LOG = logging.getLogger("rdvpermis_sandbox")
TICK_SECONDS = 0.25


class Sandbox:
    """One State with its faces. `asgi` is what a server serves."""

    def __init__(self, settings: Settings, real: Callable[[], datetime], secret: Callable[[], str]) -> None:
        self.settings, self.secret = settings, secret
        self.file = Path(settings.state_file) if settings.state_file else None
        stored = snapshot.read(self.file) if self.file else None
        self.clock = Clock(real, settings.now)
        if stored and settings.now is None:
            self.clock.offset = timedelta(seconds=stored.clock_offset_seconds)
            self.clock.frozen_at = stored.clock_frozen_at
        self.state = State(settings.seed, settings.schools, self.clock.now(), stored)
        self.tokens = Tokens(self.state, settings.issuer, secret)
        self.limits, self.rivals = Limits(), rivals.Rivals()
        self.outgoing: asyncio.Queue[Mail] = asyncio.Queue()
        self.app = FastAPI(
            title="RdvPermis (bac à sable)", version="0.0.2", docs_url=None, redoc_url=None, openapi_url="/swagger/openapi.json",
            lifespan=self._life,
        )  # fmt: skip
        self.asgi = Faults(self.app)
        self._wire()

    def _wire(self) -> None:
        state, app = self.state, self.app
        elsewhere = introspection.elsewhere(self.settings, state)
        gate = gate_of(state, self.tokens, elsewhere, self.limits, self.clock)
        app.include_router(oidc.router(self.settings, state, self.tokens, self.clock))
        app.include_router(school.router(state, gate, self.mail_request))
        app.include_router(baskets.router(state, gate))
        app.include_router(exams.router(state, gate))
        app.include_router(routes.router(state, self.tokens, self.clock, self.asgi, self.limits, self.rivals))

        @app.exception_handler(Refused)
        async def refused(_request: Request, refusal: Refused) -> Response:
            return JSONResponse({"erreur": refusal.code}, STATUS[refusal.code])

        @app.exception_handler(NotAdmitted)
        async def not_admitted(_request: Request, refusal: NotAdmitted) -> Response:
            return JSONResponse({"erreur": refusal.code}, refusal.status, refusal.headers)

        @app.exception_handler(RequestValidationError)
        async def malformed(request: Request, error: RequestValidationError) -> Response:
            if request.url.path.startswith("/control"):
                mistakes = [{"loc": list(each["loc"]), "msg": each["msg"]} for each in error.errors()]
                return JSONResponse({"detail": mistakes}, 422)
            return JSONResponse({"erreur": "PARAMETRE_INVALIDE"}, 400)

        @app.get("/swagger", include_in_schema=False)
        async def swagger() -> Response:
            return pages.calls(app.openapi(), "/swagger/openapi.json")

        @app.get("/mandats/reponse/{link}", include_in_schema=False)
        async def show(link: str) -> Response:
            return self._mandate_page(link)

        @app.post("/mandats/reponse/{link}", include_in_schema=False)
        async def answer(link: str, request: Request) -> Response:
            found, given = self._linked(link), (await request.form()).get("reponse")
            if found and found.state == "EN_ATTENTE" and given in {"accepter", "refuser"}:
                rules.answer_mandate(state, found, accept=given == "accepter")
            return self._mandate_page(link)

    def _linked(self, link: str) -> Mandate | None:
        return next((each for each in self.state.truth.mandates.values() if each.link and each.link == link), None)

    def _mandate_page(self, link: str) -> Response:
        found = self._linked(link)
        if found is None:
            return pages.problem("Ce lien n'est pas valable.", 404)
        who = self.state.world.candidates[found.candidate]
        name = self.state.school(found.school).name
        return pages.mandate(f"{who.first_name} {who.last_name}", name, found.group, found.state)

    def mail_request(self, mandate: Mandate) -> None:
        """Mail the candidate the link to answer a request; stored in the truth, sent when SMTP is set."""
        person = self.state.world.candidates[mandate.candidate]
        mandate.link = self.secret()
        link = f"{self.settings.public_url}/mandats/reponse/{mandate.link}"
        name = self.state.school(mandate.school).name
        text = f"Bonjour {person.first_name},\n\n{name} demande un mandat pour votre permis {mandate.group}.\nPour répondre : {link}\n"
        address = self.state.email(person) or ""
        mail = Mail(address, "RdvPermis (bac à sable) : demande de mandat", text, link, mandate.id, mandate.created)
        self.state.truth.mails.append(mail)
        self.state.dirty = True
        if self.settings.smtp_url:
            self.outgoing.put_nowait(mail)

    async def _send_mails(self) -> None:
        server = urlsplit(self.settings.smtp_url)
        demanded = server.scheme == "smtp+starttls"
        while True:
            mail = await self.outgoing.get()
            message = EmailMessage()
            message["From"], message["To"], message["Subject"] = "rdvpermis@sandbox.example", mail.to, mail.subject
            message.set_content(mail.text)
            try:
                await aiosmtplib.send(
                    message, hostname=server.hostname, port=server.port, start_tls=demanded, timeout=10
                )
            except (aiosmtplib.SMTPException, OSError) as failure:
                LOG.warning("mandate mail not sent: %s; read it in /control/mails", type(failure).__name__)
                continue
            mail.delivered = self.state.dirty = True

    async def _tick(self) -> None:
        rng = Random(self.settings.seed)  # noqa: S311 - repeatable on purpose
        while True:
            await asyncio.sleep(TICK_SECONDS)
            rivals.step(self.state, self.rivals, TICK_SECONDS, rng, self.clock.now())
            self.save()

    def save(self) -> None:
        """Write the truth to its file when it changed."""
        if self.file and self.state.dirty:
            self.state.dirty = False
            snapshot.write(self.file, self.state.truth)

    @asynccontextmanager
    async def _life(self, _app: FastAPI) -> AsyncIterator[None]:
        works = [asyncio.create_task(self._tick()), asyncio.create_task(self._send_mails())]
        try:
            yield
        finally:
            for work in works:
                work.cancel()
                with suppress(asyncio.CancelledError):
                    await work
            self.save()
