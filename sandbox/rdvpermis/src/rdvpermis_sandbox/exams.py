"""The calls on bookings, thresholds and trainers: the second half of RdvPermis' table."""

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from rdvpermis_sandbox import rules, shapes
from rdvpermis_sandbox.api import BASE, Asking
from rdvpermis_sandbox.model import Exam, Refused, Slot
from rdvpermis_sandbox.state import State


def router(state: State, ask: Callable[[Request], Any]) -> APIRouter:  # noqa: C901 - their table
    """Bookings of the asking school."""
    routes = APIRouter(prefix=BASE, tags=["examens"])
    who = Annotated[Asking, Depends(ask)]
    group_query = Annotated[str, Query(alias="groupe-permis")]
    day_query = Annotated[date | None, Query(alias="date")]

    def found(asking: Asking, statut: str, group: str, day: date | None) -> list[tuple[Exam, Slot]]:
        rows = [
            (exam, slot)
            for exam, slot in state.school_exams(asking.school.id)
            if exam.state == statut and slot.group == group and day in {None, slot.starts.date()}
        ]
        return sorted(rows, key=lambda row: (row[1].starts, row[0].id))

    def shown(asking: Asking, rows: list[tuple[Exam, Slot]]) -> list[dict[str, Any]]:
        return [shapes.exam(state, exam, slot, asking.school, asking.now) for exam, slot in rows]

    @routes.get("/examens")
    async def exams(
        asking: who, group: group_query, statut: str = "PROGRAMME", day: day_query = None
    ) -> list[dict[str, Any]]:
        return shown(asking, found(asking, statut, group, day))

    @routes.get("/examens-pagines")
    async def paged(
        asking: who,
        group: group_query,
        statut: str = "PROGRAMME",
        day: day_query = None,
        page: Annotated[int, Query(ge=1)] = 1,
        size: Annotated[int, Query(alias="par-page", ge=1, le=100)] = 20,
    ) -> dict[str, Any]:
        answer = shapes.pages(found(asking, statut, group, day), page, size)
        return answer | {"data": shown(asking, answer["data"])}

    @routes.get("/examens/dates")
    async def dates(
        asking: who,
        group: group_query,
        statut: str = "PROGRAMME",
        day: day_query = None,
        nameless: Annotated[bool | None, Query(alias="creneauSansCandidat")] = None,
    ) -> list[str]:
        rows = found(asking, statut, group, None)
        fits = (slot for exam, slot in rows if nameless in {None, exam.candidate is None})
        return sorted({slot.starts.date().isoformat() for slot in fits if day is None or slot.starts.date() >= day})

    @routes.get("/examens/nombre-de-remplacement")
    async def replacements(
        asking: who, group: group_query, day: Annotated[date, Query(alias="date")]
    ) -> dict[str, int]:
        left = rules.replacements_left(state, asking.school.id, group, f"{day:%Y-%m}")
        return {"remplacementsParMois": rules.REPLACEMENTS, "remplacementsRestants": left}

    @routes.post("/examens/remplacement", status_code=204)
    async def replace(asking: who, body: shapes.Replacement) -> None:
        exam, slot = rules.exam_of(state, body.examenId, asking.employee)
        rules.replace(state, exam, slot, body.candidatRemplacantId, asking.now)

    @routes.get("/examens/permutables")
    async def swappable(
        asking: who, permuted: Annotated[str, Query(alias="examen-permute-id")], day: day_query = None
    ) -> list[dict[str, Any]]:
        exam, slot = rules.exam_of(state, permuted, asking.employee)
        rows = found(asking, "PROGRAMME", slot.group, day)
        return shown(asking, [row for row in rows if rules.swappable(state, exam, row[0], asking.now)])

    @routes.post("/examens/permutation", status_code=204)
    async def permute(asking: who, body: shapes.Permutation) -> None:
        one, _ = rules.exam_of(state, body.examenId1, asking.employee)
        two, _ = rules.exam_of(state, body.examenId2, asking.employee)
        rules.permute(state, one, two, asking.now)

    @routes.get("/examens/{exam_id}")
    async def exam(asking: who, exam_id: str) -> dict[str, Any]:
        return shown(asking, [rules.exam_of(state, exam_id, asking.employee)])[0]

    @routes.delete("/examens/{exam_id}", status_code=204)
    async def cancel(asking: who, exam_id: str) -> None:
        exam, slot = rules.exam_of(state, exam_id, asking.employee)
        rules.cancel(state, exam, slot, asking.now)

    @routes.get("/informations-seuil-departement")
    async def threshold(
        asking: who,
        group: Annotated[str, Query(alias="groupe-permis")] = "B",
        day: day_query = None,
    ) -> dict[str, Any]:
        """[default] shape; known from v1 by name only."""
        when = day or asking.now.date()
        month = (when.year, when.month)
        return {
            "codeDepartement": asking.school.department,
            "groupePermis": group,
            "mois": f"{when:%Y-%m}",
            "tauxParFormateur": rules.RATE_PER_FTE,
            "nombreDeFormateurs": state.fte(asking.school.id),
            "seuil": rules.limit(state, asking.school.id),
            "plafond": rules.api_limit(state, asking.school.id, month, asking.now),
            "placesReservees": state.month_count(asking.school.id, group, month),
        }

    @routes.post("/nombre-de-formateurs", status_code=200)
    async def declare(asking: who, body: shapes.Trainers) -> dict[str, float]:
        """[default] shape; known from v1 by name only."""
        if not 0 <= body.nombreDeFormateurs <= 200:
            raise Refused("PARAMETRE_INVALIDE")
        state.truth.declared[asking.school.id] = body.nombreDeFormateurs
        state.dirty = True
        return {"nombreDeFormateurs": body.nombreDeFormateurs}

    return routes
