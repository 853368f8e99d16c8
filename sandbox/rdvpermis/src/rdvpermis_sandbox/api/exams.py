"""The calls on bookings, thresholds and trainers."""

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from rdvpermis_sandbox.api import wire
from rdvpermis_sandbox.api.gate import BASE, Caller
from rdvpermis_sandbox.domain import rules
from rdvpermis_sandbox.domain.model import Exam, Refused, Slot
from rdvpermis_sandbox.domain.state import State


def router(state: State, admit: Callable[[Request], Any]) -> APIRouter:  # noqa: C901 - their table
    """Routes on exams, thresholds, replacements and trainers of the calling school."""
    routes = APIRouter(prefix=BASE, tags=["examens"])
    who = Annotated[Caller, Depends(admit)]
    group_query = Annotated[str, Query(alias="groupe-permis")]
    day_query = Annotated[date | None, Query(alias="date")]

    def found(caller: Caller, statut: str, group: str, day: date | None) -> list[tuple[Exam, Slot]]:
        rows = [
            (exam, slot)
            for exam, slot in state.school_exams(caller.school.id)
            if exam.state == statut and slot.group == group and day in {None, slot.starts.date()}
        ]
        return sorted(rows, key=lambda row: (row[1].starts, row[0].id))

    def shown(caller: Caller, rows: list[tuple[Exam, Slot]]) -> list[dict[str, Any]]:
        return [wire.exam(state, exam, slot, caller.school, caller.now) for exam, slot in rows]

    @routes.get("/examens")
    async def exams(
        caller: who, group: group_query, statut: str = "PROGRAMME", day: day_query = None
    ) -> list[dict[str, Any]]:
        return shown(caller, found(caller, statut, group, day))

    @routes.get("/examens-pagines")
    async def paged(
        caller: who,
        group: group_query,
        statut: str = "PROGRAMME",
        day: day_query = None,
        page: Annotated[int, Query(ge=1)] = 1,
        size: Annotated[int, Query(alias="par-page", ge=1, le=100)] = 20,
    ) -> dict[str, Any]:
        answer = wire.pages(found(caller, statut, group, day), page, size)
        return answer | {"data": shown(caller, answer["data"])}

    @routes.get("/examens/dates")
    async def dates(
        caller: who,
        group: group_query,
        statut: str = "PROGRAMME",
        day: day_query = None,
        nameless: Annotated[bool | None, Query(alias="creneauSansCandidat")] = None,
    ) -> list[str]:
        rows = found(caller, statut, group, None)
        fits = (slot for exam, slot in rows if nameless in {None, exam.candidate is None})
        return sorted({slot.starts.date().isoformat() for slot in fits if day is None or slot.starts.date() >= day})

    @routes.get("/examens/nombre-de-remplacement")
    async def replacements(
        caller: who, group: group_query, day: Annotated[date, Query(alias="date")]
    ) -> dict[str, int]:
        left = rules.replacements_left(state, caller.school.id, group, f"{day:%Y-%m}")
        return {"remplacementsParMois": rules.REPLACEMENTS, "remplacementsRestants": left}

    @routes.post("/examens/remplacement", status_code=204)
    async def replace(caller: who, body: wire.Replacement) -> None:
        exam, slot = rules.exam_of(state, body.examenId, caller.employee)
        rules.replace(state, exam, slot, body.candidatRemplacantId, caller.now)

    @routes.get("/examens/permutables")
    async def swappable(
        caller: who, permuted: Annotated[str, Query(alias="examen-permute-id")], day: day_query = None
    ) -> list[dict[str, Any]]:
        exam, slot = rules.exam_of(state, permuted, caller.employee)
        rows = found(caller, "PROGRAMME", slot.group, day)
        return shown(caller, [row for row in rows if rules.swappable(state, exam, row[0], caller.now)])

    @routes.post("/examens/permutation", status_code=204)
    async def permute(caller: who, body: wire.Permutation) -> None:
        one, _ = rules.exam_of(state, body.examenId1, caller.employee)
        two, _ = rules.exam_of(state, body.examenId2, caller.employee)
        rules.permute(state, one, two, caller.now)

    @routes.get("/examens/{exam_id}")
    async def exam(caller: who, exam_id: str) -> dict[str, Any]:
        return shown(caller, [rules.exam_of(state, exam_id, caller.employee)])[0]

    @routes.delete("/examens/{exam_id}", status_code=204)
    async def cancel(caller: who, exam_id: str) -> None:
        exam, slot = rules.exam_of(state, exam_id, caller.employee)
        rules.cancel(state, exam, slot, caller.now)

    @routes.get("/informations-seuil-departement")
    async def threshold(
        caller: who,
        group: Annotated[str, Query(alias="groupe-permis")] = "B",
        day: day_query = None,
    ) -> dict[str, Any]:
        """[default] shape; known from v1 by name only."""
        when = day or caller.now.date()
        month = (when.year, when.month)
        return {
            "codeDepartement": caller.school.department,
            "groupePermis": group,
            "mois": f"{when:%Y-%m}",
            "tauxParFormateur": rules.RATE_PER_FTE,
            "nombreDeFormateurs": state.fte(caller.school.id),
            "seuil": rules.limit(state, caller.school.id),
            "plafond": rules.api_limit(state, caller.school.id, month, caller.now),
            "placesReservees": state.month_count(caller.school.id, group, month),
        }

    @routes.post("/nombre-de-formateurs", status_code=200)
    async def declare(caller: who, body: wire.Trainers) -> dict[str, float]:
        """[default] shape; known from v1 by name only."""
        if not 0 <= body.nombreDeFormateurs <= 200:
            raise Refused("PARAMETRE_INVALIDE")
        state.truth.declared[caller.school.id] = body.nombreDeFormateurs
        state.dirty = True
        return {"nombreDeFormateurs": body.nombreDeFormateurs}

    return routes
