import pytest

from rdvpermis_sandbox.domain.refusals import STATUS

pytestmark = pytest.mark.req("P-06")


def refused(answer, code):
    assert (answer.status_code, answer.json()) == (STATUS[code], {"erreur": code})


async def test_mandate_refusals(school):
    async def ask(person, **more):
        body = {"nom": person.last_name, "numeroDossier": person.neph, "groupePermis": person.group or "B"} | more
        return await school.call("POST", "/mandats", body)

    free, nobody = school.people(18), school.people(26)
    refused(await ask(free, nom="Personne"), "CANDIDAT_INCONNU")
    refused(await ask(free, email=school.people(0).email), "EMAIL_DEJA_ATTRIBUE")
    refused(await ask(nobody), "EMAIL_MANQUANT")
    refused(await ask(school.people(27)), "CANDIDAT_SANS_DEMANDE_ACTIVE")
    refused(await ask(school.people(0)), "CANDIDAT_DEJA_SOUS_MON_MANDAT")
    refused(await ask(school.people(0, "ae-075-1")), "CANDIDAT_DEJA_SOUS_MANDAT")


async def test_slot_refusals(school):
    one, two, three, _ = await school.publish()
    (moto,) = await school.publish(group="A", starts=["08:00"])
    (far,) = await school.publish(centre="ce-075-1", starts=["08:00"])
    basket = await school.basket(one)

    async def add(slot):
        return await school.call("POST", f"/paniers/{basket}/creneaux", {"creneauId": slot})

    refused(await add("none"), "CRENEAU_INCONNU")
    refused(await add(far), "CRENEAU_NON_DISPONIBLE")
    await school.control("/rivals/take", {"slot": two})
    refused(await add(two), "CRENEAU_DEJA_RESERVE")
    refused(await add(moto), "CRENEAU_DE_GROUPE_DIFFERENT")
    refused(await school.call("DELETE", f"/paniers/{basket}/creneaux/{three}"), "CRENEAU_PAS_DANS_LE_PANIER")
    await school.call("POST", "/nombre-de-formateurs", {"nombreDeFormateurs": 0.5})
    refused(await add(three), "CRENEAU_NON_RESERVABLE_PLAFOND_ATTEINT")
    await school.call("POST", "/nombre-de-formateurs", {"nombreDeFormateurs": 0.3})
    refused(await add(three), "CRENEAU_NON_RESERVABLE_SEUIL_ATTEINT")
    await school.call("POST", "/nombre-de-formateurs", {"nombreDeFormateurs": 0})
    refused(await add(three), "AUTO_ECOLE_NA_AUCUNE_DECLARATION")


async def test_territory_opens_after_48_hours(school):
    (far,) = await school.publish(centre="ce-075-1", starts=["08:00"])
    await school.control("/clock", {"advance_seconds": 48 * 3600})
    await school.sign_in_again()
    basket = await school.basket(far)
    assert basket


async def test_basket_refusals(school):
    refused(await school.call("POST", "/paniers", {"employeAutoEcoleId": "x"}), "EMPLOYE_AUTO_ECOLE_INEXISTANT")
    other = {"employeAutoEcoleId": "em-gerant-075-1"}
    refused(await school.call("POST", "/paniers", other), "EMPLOYE_N_APPARTIENT_PAS_A_AUTO_ECOLE")
    refused(await school.call("POST", "/paniers", {"odd": 1}), "PARAMETRE_INVALIDE")
    refused(await school.call("GET", "/centres/none"), "CENTRE_INCONNU")
    refused(await school.call("GET", "/paniers/none"), "PANIER_INCONNU")
    basket = await school.basket()
    await school.sign_in_as("gerant.075-1")
    refused(await school.call("GET", f"/paniers/{basket}"), "ACTION_INTERDITE")


async def test_a_basket_holds_36(school):
    await school.call("POST", "/nombre-de-formateurs", {"nombreDeFormateurs": 50})
    starts = [f"{hour:02}:{minute:02}" for hour in range(8, 18) for minute in (0, 15, 30, 45)]
    slots = await school.publish(starts=starts)
    basket = await school.basket(*slots[:36])
    refused(await school.call("POST", f"/paniers/{basket}/creneaux", {"creneauId": slots[36]}), "PANIER_PLEIN")


@pytest.mark.parametrize(
    ("turn", "school_id", "code"),
    [
        (18, "ae-094-1", "CANDIDAT_PAS_SOUS_MANDAT"),
        (28, "ae-094-1", "CANDIDAT_SOUS_PENALITE"),
        (29, "ae-094-1", "CANDIDAT_AYANT_DEJA_OBTENU_SON_EXAMEN"),
    ],
)
async def test_candidate_refusals(school, turn, school_id, code):
    person = school.people(turn, school_id)
    (slot,) = await school.publish(group=person.group, starts=["08:00"])
    basket = await school.basket(slot)
    refused(await school.call("PUT", f"/paniers/{basket}/creneaux/{slot}/candidat", {"candidatId": person.id}), code)


async def test_a_candidate_is_named_once(school):
    one, two, three, _ = await school.publish()
    person = school.people(0).id
    basket = await school.basket(one, two, three)
    path = f"/paniers/{basket}/creneaux/{{}}/candidat"
    assert (await school.call("PUT", path.format(one), {"candidatId": person})).status_code == 204
    refused(await school.call("PUT", path.format(two), {"candidatId": person}), "CANDIDAT_DEJA_DANS_PANIER")
    assert (await school.call("POST", f"/paniers/{basket}/valider")).status_code == 207
    refused(await school.call("PUT", path.format(two), {"candidatId": person}), "CANDIDAT_DEJA_INSCRIT")


async def test_a_candidate_waits_for_the_result(school):
    (slot,) = await school.publish(date="2026-11-24", starts=["11:00"])
    (later,) = await school.publish(starts=["08:00"])
    await school.book(slot, school.people(0).id)
    await school.control("/clock", {"advance_seconds": 2 * 3600})
    await school.sign_in_again()
    basket = await school.basket(later)
    named = {"candidatId": school.people(0).id}
    refused(
        await school.call("PUT", f"/paniers/{basket}/creneaux/{later}/candidat", named),
        "CANDIDAT_EN_ATTENTE_DE_RESULTAT",
    )


async def test_exam_refusals(school):
    slots = await school.publish(starts=["08:00", "08:32", "09:04", "09:36", "10:08"])
    exam = await school.book(slots[0], school.people(0).id)
    other = await school.book(slots[1], school.people(1).id)
    refused(await school.call("GET", "/examens/none"), "EXAMEN_INCONNU")
    same = {"examenId1": exam, "examenId2": exam}
    refused(await school.call("POST", "/examens/permutation", same), "PERMUTATION_IMPOSSIBLE")
    assert (
        await school.call("POST", "/examens/permutation", {"examenId1": exam, "examenId2": other})
    ).status_code == 204
    for turn in range(2, 7):
        body = {"examenId": exam, "candidatRemplacantId": school.people(turn).id}
        assert (await school.call("POST", "/examens/remplacement", body)).status_code == 204
    body = {"examenId": exam, "candidatRemplacantId": school.people(7).id}
    refused(await school.call("POST", "/examens/remplacement", body), "NOMBRE_DE_REMPLACEMENTS_AUTORISES_ATTEINT")
    assert (await school.call("DELETE", f"/examens/{exam}")).status_code == 204
    refused(await school.call("DELETE", f"/examens/{exam}"), "EXAMEN_DEJA_ANNULE")
    await school.control(f"/exams/{other}/lock", {})
    refused(await school.call("DELETE", f"/examens/{other}"), "EXAMEN_NON_MODIFIABLE")
    await school.control("/schools/ae-094-1/nameless", {})
    nameless = await school.book(slots[2], None)
    body = {"examenId": nameless, "candidatRemplacantId": school.people(7).id}
    refused(await school.call("POST", "/examens/remplacement", body), "EXAMEN_NON_NOMINATIF")
