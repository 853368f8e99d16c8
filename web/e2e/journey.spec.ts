/** The main job, as a secretary does it, on the running platform and the sandbox behind it. */
import { expect, lookUntil, open, slotsHeldBack, test, turnTo, workingDay } from "./school.ts";

test.describe.configure({ mode: "serial" });

test("a school registers a candidate, holds two slots, names, validates and is notified [R-01] [R-04] [R-14] [R-16] [R-30] [N-03]", async ({
  school: page,
  sandbox,
}) => {
  test.setTimeout(240_000);
  const person = await sandbox.person();
  const name = `${person.firstName} ${person.lastName}`;
  const day = workingDay(3);
  await sandbox.publish(day, ["06:10", "06:42"]);
  const traces: (string | undefined)[] = [];
  page.on("request", (request) => {
    if (request.method() === "POST" && request.url().includes("/api/")) traces.push(request.headers().traceparent);
  });

  await test.step("the candidate and the mandate", async () => {
    await open(page, "/candidats", "Candidats");
    await page.getByRole("button", { name: "Nouveau candidat" }).first().click();
    await page.getByLabel("Nom de naissance").fill(person.lastName);
    await page.getByLabel("Prénom").fill(person.firstName);
    await page.getByRole("textbox", { name: "NEPH" }).fill(person.neph);
    await page.getByLabel("Adresse électronique").fill(person.email);
    await page.getByRole("button", { name: "Inscrire et demander le mandat" }).click();
    await expect(page.getByRole("heading", { level: 1, name })).toBeVisible();
    await expect(page.getByText("Attend l'accord du candidat")).toBeVisible();
    expect(page.url()).not.toContain(person.lastName);
    await sandbox.acceptMandates();
    await page.getByRole("button", { name: /Regarder maintenant/ }).click();
    await expect(page.getByText("Actif", { exact: true })).toBeVisible();
  });

  await test.step("search and hold: one result per line", async () => {
    await turnTo(page, `/creneaux?du=${day}&au=${day}&de=6&a=7`, "Créneaux");
    const open610 = page.getByRole("button", { name: /6 heures 10, .*, ouvert$/ });
    await lookUntil(page, open610);
    await open610.first().click();
    await page
      .getByRole("button", { name: /6 heures 42, .*, ouvert$/ })
      .first()
      .click();
    const readAgain = await slotsHeldBack(page);
    await page.getByRole("button", { name: "Retenir ces 2 créneaux" }).click();
    await expect(page.getByRole("heading", { name: "2 retenus" })).toBeVisible();
    await expect(page.locator(".rp-result").first()).toBeFocused();
    await expect(page.getByRole("button", { name: /6 heures 10, .*, à vous$/ })).toBeVisible();
    readAgain();
    // One day is in view: a call for each of its centres.
    await expect(
      page.getByRole("button", { name: /^Regarder maintenant \(coûte \d+ appels?, (il en )?reste \d+/ }),
    ).toBeVisible();
  });

  await test.step("name one, give the other back, validate after review", async () => {
    await page.getByRole("link", { name: /Nommer les candidats/ }).click();
    await expect(page.getByRole("heading", { level: 1, name: "Panier" })).toBeFocused();
    const group = page.getByRole("region", { name: /^Demande de / }).first();
    await expect(group.getByText(/reste 1\d min/)).toBeVisible();
    await group.getByRole("button", { name: /Rendre .*06:42/ }).click();
    await expect(page.getByRole("button", { name: "Garder" })).toBeFocused();
    await page.getByRole("button", { name: "Rendre le créneau" }).click();
    await expect(page.getByRole("dialog")).toHaveCount(0);
    await group
      .getByRole("combobox", { name: /Candidat, .*06:10/ })
      .or(group.getByLabel(/Candidat, .*06:10/))
      .first()
      .click();
    await page.keyboard.type(person.lastName);
    await page.getByRole("option", { name }).click();
    const validate = group.getByRole("button", { name: "Valider 1 réservation" });
    await expect(validate).not.toHaveAttribute("aria-disabled", "true");
    await validate.click();
    const dialog = page.getByRole("dialog");
    await expect(dialog.getByText(person.lastName, { exact: false })).toBeVisible();
    await dialog.getByRole("button", { name: "Valider 1 réservation" }).click();
    await expect(dialog).toHaveCount(0);
  });

  await test.step("the booking, notified and proved", async () => {
    await turnTo(page, "/reservations", "Réservations");
    const row = page.getByRole("listitem").filter({ hasText: "06:10" }).filter({ hasText: "Réservé" });
    await expect(row.first()).toBeVisible();
    await turnTo(page, "/messages", "Messages");
    await expect(
      page
        .getByRole("listitem")
        .filter({ hasText: /6 h 10|06:10/ })
        .first(),
    ).toBeVisible();
    await turnTo(page, "/journal", "Journal");
    const verify = page.getByRole("button", { name: /Vérifier la preuve/ }).first();
    // The newest record is proved once the journal's next signature is there.
    await expect(async () => {
      await page.keyboard.press("Escape");
      await verify.click();
      await expect(page.getByText("La preuve tient", { exact: false })).toBeVisible({ timeout: 5000 });
    }).toPass({ timeout: 60_000 });
  });

  await test.step("each request to change something began a trace of its own", () => {
    expect(traces.length).toBeGreaterThan(3);
    for (const one of traces) expect(one).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
    expect(new Set(traces).size).toBe(traces.length);
  });
});

test("a slot that another school just took is refused on its line, the other kept [R-16]", async ({
  school: page,
  sandbox,
}) => {
  test.setTimeout(240_000);
  const day = workingDay(4);
  const [, second] = await sandbox.publish(day, ["06:10", "06:42"]);
  if (!second) throw new Error("the sandbox published nothing");
  await open(page, `/creneaux?du=${day}&au=${day}&de=6&a=7`, "Créneaux");
  const first610 = page.getByRole("button", { name: /6 heures 10, .*, ouvert$/ });
  await lookUntil(page, first610);
  await first610.first().click();
  await page
    .getByRole("button", { name: /6 heures 42, .*, ouvert$/ })
    .first()
    .click();
  await sandbox.rivalTakes(second);
  await page.getByRole("button", { name: "Retenir ces 2 créneaux" }).click();
  await expect(page.getByRole("heading", { name: "1 retenu, 1 refusé" })).toBeVisible();
  await expect(page.getByText("Ce créneau vient d'être pris ou retiré.", { exact: false }).first()).toBeVisible();
});

test("five slots cannot be chosen for one request [R-14]", async ({ school: page, sandbox }) => {
  test.setTimeout(240_000);
  const day = workingDay(5);
  await sandbox.publish(day, ["06:10", "06:42", "07:14", "07:46", "08:18"]);
  await open(page, `/creneaux?du=${day}&au=${day}&de=6&a=9&vue=liste`, "Créneaux");
  const choosable = page.getByRole("button", { name: /, ouvert$/ });
  await lookUntil(page, choosable);
  await expect(choosable.nth(4)).toBeVisible();
  for (let count = 0; count < 5; count += 1) await choosable.first().click();
  await expect(page.getByText("4 choisis sur 4")).toBeVisible();
  await expect(page.getByText(/08:18 .* n'est pas choisi : au plus 4 créneaux par demande/)).toBeVisible();
});
