"""The calls on baskets: opened, filled, named, validated."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Query, Request, Response
from fastapi.responses import JSONResponse

from rdvpermis_sandbox.api import wire
from rdvpermis_sandbox.api.gate import BASE, Caller
from rdvpermis_sandbox.domain import rules
from rdvpermis_sandbox.domain.model import Refused
from rdvpermis_sandbox.domain.state import State


def router(state: State, admit: Callable[[Request], Any]) -> APIRouter:  # noqa: C901 - their table
    """Routes under /paniers: open, fill, name, validate, drop; baskets of the calling school alone."""
    routes = APIRouter(prefix=BASE, tags=["paniers"])
    who = Annotated[Caller, Depends(admit)]

    @routes.get("/paniers")
    async def baskets(caller: who) -> list[dict[str, Any]]:
        return [wire.basket(state, each, caller.school) for each in state.baskets(caller.school.id)]

    @routes.post("/paniers", status_code=201)
    async def open_basket(
        caller: who, response: Response, body: Annotated[wire.BasketAsked | None, Body()] = None
    ) -> dict[str, Any]:
        made = rules.open_basket(state, caller.employee, body.employeAutoEcoleId if body else None, caller.now)
        response.headers["Location"] = f"{BASE}/paniers/{made.id}"
        return wire.basket(state, made, caller.school)

    @routes.get("/paniers/{basket_id}")
    async def basket(caller: who, basket_id: str) -> dict[str, Any]:
        return wire.basket(state, rules.basket_of(state, basket_id, caller.employee), caller.school)

    @routes.delete("/paniers/{basket_id}", status_code=204)
    async def drop(caller: who, basket_id: str) -> None:
        state.drop(rules.basket_of(state, basket_id, caller.employee))

    @routes.post("/paniers/{basket_id}/creneaux", status_code=201)
    async def add(
        caller: who,
        basket_id: str,
        body: wire.SlotAsked,
        inclure: Annotated[bool | None, Query(alias="inclureEstCandidatObligatoire")] = None,
    ) -> dict[str, Any]:
        found = rules.basket_of(state, basket_id, caller.employee)
        rules.add_slot(state, found, body.creneauId, caller.now)
        asked = {"estCandidatObligatoire": rules.must_name(state, caller.school.id)} if inclure else {}
        return wire.basket(state, found, caller.school) | asked

    @routes.post("/paniers/{basket_id}/creneaux-multiples", status_code=201)
    async def add_many(caller: who, basket_id: str, body: wire.SlotsAsked) -> Response:
        found = rules.basket_of(state, basket_id, caller.employee)
        if not body.creneauxId:
            raise Refused("PARAMETRE_INVALIDE")
        good, bad = [], []
        for slot_id in body.creneauxId:
            try:
                rules.add_slot(state, found, slot_id, caller.now)
                good.append(slot_id)
            except Refused:
                bad.append(slot_id)
        whole = wire.basket(state, found, caller.school)
        if not bad:
            return JSONResponse(whole, 201)
        split = {"crenauxIdsAjoutesAuPanierAvecSucces": good, "crenauxIdsAjoutesAuPanierEnEchec": bad, "panier": whole}
        return JSONResponse(split, 207)

    @routes.delete("/paniers/{basket_id}/creneaux/{slot_id}", status_code=204)
    async def remove(caller: who, basket_id: str, slot_id: str) -> None:
        rules.remove_slot(state, rules.basket_of(state, basket_id, caller.employee), slot_id)

    @routes.put("/paniers/{basket_id}/creneaux/{slot_id}/candidat", status_code=204)
    async def name(caller: who, basket_id: str, slot_id: str, body: wire.CandidateNamed) -> None:
        found = rules.basket_of(state, basket_id, caller.employee)
        rules.name(state, found, slot_id, body.candidatId, caller.now)

    @routes.post("/paniers/{basket_id}/valider")
    async def validate(caller: who, basket_id: str) -> Response:
        found = rules.basket_of(state, basket_id, caller.employee)
        rows = []
        for slot_id, exam, code in rules.validate(state, found, caller.now):
            row: dict[str, Any] = {"creneauId": slot_id, "estReserve": exam is not None}
            row |= {"examenId": exam.id} if exam else {"codeMessage": code}
            rows.append(row)
        failed = any(not row["estReserve"] for row in rows)
        answer = {"panierId": basket_id, "contientAuMoinsUneErreur": failed, "data": rows}
        return JSONResponse(answer, 207 if failed else 200)

    return routes
