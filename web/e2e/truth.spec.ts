/** A screen never says what is not so: each sentence beside the fact that it is about. */
import type { Page } from "@playwright/test";
import {
  act,
  booked,
  expect,
  lookUntil,
  open,
  registered,
  signIn,
  slotsHeldBack,
  test,
  turnTo,
  workingDay,
} from "./school.ts";

/** The card that says whether a candidate may be booked. */
const possible = (page: Page) => page.getByRole("region", { name: "Réservation possible ?" });

test("whether a candidate may be booked: unknown to RdvPermis, mandated, booked, mandate given back [R-05] [R-21] [R-29]", {
  tag: "@long",
}, async ({ school: page, sandbox }) => {
  const day = workingDay(3);
  const [slot] = await sandbox.publish(day, ["05:10"]);
  if (!slot) throw new Error("the sandbox published nothing");
  await open(page, `/creneaux?du=${day}&au=${day}&de=5&a=6`, "Créneaux");
  await lookUntil(page, page.getByRole("button", { name: /5 heures 10, .*, ouvert$/ }));

  await test.step("a NEPH that RdvPermis does not know", async () => {
    const stranger = { lastName: "Inconnu", firstName: "Camille", neph: "999999999999", email: "inconnu@example.org" };
    const { id } = await act(page, "/api/v1/candidates", stranger);
    await turnTo(page, `/candidats/${id}`, "Camille Inconnu");
    await expect(possible(page)).toContainText("Aucun mandat n'est actif");
    await page.getByRole("button", { name: "Demander le mandat" }).click();
    await expect(possible(page)).toContainText("Candidat introuvable");
    await expect(possible(page).getByText("pas encore")).toBeVisible();
  });

  const person = await registered(page, sandbox);
  const name = `${person.firstName} ${person.lastName}`;
  await test.step("a mandate: possible as far as was looked, and it says how far that is", async () => {
    await turnTo(page, `/candidats/${person.id}`, name);
    await expect(possible(page).getByText("oui, selon le créneau")).toBeVisible();
    await expect(possible(page)).toContainText("Vérifié ici : mandat, pénalités, réservations et panier.");
  });

  await test.step("booked: not possible a second time", async () => {
    await booked(page, [{ slotId: slot, candidateId: person.id }]);
    await expect(possible(page).getByText("déjà réservé", { exact: true })).toBeVisible();
    await expect(possible(page)).toContainText(/Examen déjà réservé : .*05:10/);
  });

  await test.step("giving the mandate back names the exam that stays booked", async () => {
    await page.getByRole("button", { name: /^Rendre le mandat B/ }).click();
    const dialog = page.getByRole("dialog");
    await expect(dialog).toContainText(/Un examen reste réservé : .* à 5 h 10/);
    await expect(dialog).toContainText("Rendre le mandat ne l'annule pas.");
    await dialog.getByRole("button", { name: "Rendre le mandat" }).click();
    await expect(dialog).toHaveCount(0);
    await expect(possible(page)).toContainText("Le mandat est rendu : demandez-le de nouveau.");
    await expect(possible(page)).toContainText(/Examen déjà réservé : .*05:10/);
  });
});

test("a school without trainers has an unknown threshold, on each page that shows one [R-10]", {
  tag: "@long",
}, async ({ page }) => {
  await signIn(page, "/seuils", "gerant.094-9");
  await expect(page.getByRole("heading", { level: 1, name: "Seuils" })).toBeVisible();
  await expect(page.getByText("Seuil inconnu : aucun formateur n'est compté", { exact: false })).toBeVisible();
  await expect(page.getByText("Seuil inconnu", { exact: true }).nth(2)).toBeVisible();
  await expect(page.getByText(/Seuil de .* atteint/)).toHaveCount(0);
  await turnTo(page, "/creneaux?vue=liste", "Créneaux");
  await expect(page.getByRole("link", { name: /seuil inconnu, déclarez vos heures$/ }).first()).toBeVisible();
  await page
    .getByRole("button", { name: /^Pourquoi \?.*fermé$/ })
    .first()
    .click();
  const dialog = page.getByRole("dialog");
  await expect(dialog.getByText("Seuil inconnu : déclarez vos heures.", { exact: false })).toBeVisible();
  await expect(dialog.getByText(/Plafond du moment/)).toHaveCount(0);
});

const MONTH = new Intl.DateTimeFormat("fr-FR", { month: "long", year: "numeric", timeZone: "UTC" });
const monthOf = (day: string) => MONTH.format(new Date(`${day}T00:00Z`));

test("the figures are of the week in view: its months, its days' ages, the calls that it costs [R-09] [R-10] [R-27]", {
  tag: "@long",
}, async ({ school: page }) => {
  const asked: URL[] = [];
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.pathname === "/api/v1/slots" && url.searchParams.get("pollNow") === "true") asked.push(url);
  });
  // Over a month's end, from a Monday on.
  const first = new Date();
  first.setUTCDate(first.getUTCDate() + ((8 - first.getUTCDay()) % 7 || 7));
  const from = first.toISOString().slice(0, 10);
  const to = new Date(first.getTime() + 40 * 86_400_000).toISOString().slice(0, 10);
  // As last read: the page reads again by itself.
  let days: { date: string; polls: number }[] = [];
  page.on("response", async (one) => {
    if (new URL(one.url()).searchParams.get("to") === to && one.ok())
      ({ days } = (await one.json()) as { days: typeof days });
  });
  await open(page, `/creneaux?du=${from}&au=${to}&vue=calendrier`, "Créneaux");
  const look = page.getByRole("button", { name: /^Regarder maintenant/ });
  const figures = page.locator(".rp-row > a[href='/seuils']");
  for (let week = 0; week < 5; week += 1) {
    const shown = Array.from({ length: 5 }, (_, day) => {
      const date = new Date(first.getTime() + (week * 7 + day) * 86_400_000);
      return date.toISOString().slice(0, 10);
    });
    const months = [...new Set(shown.map(monthOf))];
    await expect(figures).toHaveText(
      months.map((month) => new RegExp(`^${month} : \\d+ pris ou retenus?, reste \\d+$`)),
    );
    const ages = page.locator(".rp-grid__age");
    if ((await page.getByRole("grid").count()) > 0) await expect(ages.first()).toHaveText(/^(vu il y a|pas encore vu)/);
    await expect(async () => {
      const calls = days.filter(({ date }) => shown.includes(date)).reduce((sum, { polls }) => sum + polls, 0);
      expect(await look.textContent()).toMatch(
        new RegExp(`^Regarder maintenant \\(coûte ${calls} appels?, (il en )?reste \\d+`),
      );
    }).toPass({ timeout: 30_000 });
    if (week < 4) await page.getByRole("button", { name: "Semaine suivante" }).click();
  }
  await look.click();
  await expect.poll(() => asked.length).toBe(1);
  const [poll] = asked;
  const monday = new Date(first.getTime() + 28 * 86_400_000).toISOString().slice(0, 10);
  expect(poll?.searchParams.get("from")).toBe(monday);
  expect(Date.parse(poll?.searchParams.get("to") ?? "")).toBeLessThanOrEqual(Date.parse(monday) + 6 * 86_400_000);
});

test("home tells the age of slots apart from that of empty days [R-09]", { tag: "@long" }, async ({ school: page }) => {
  await open(page, "/", "Accueil");
  const card = page.getByRole("region", { name: "Prochaines ouvertures" });
  // On a stack that just began, the first reading may have come before the first slot: the next comes half a minute later.
  await expect(card.getByText(/^(information ancienne : )?créneaux vus chez RdvPermis il y a/)).toBeVisible({
    timeout: 70_000,
  });
});

test("what is held is ours at once, keeps its request's name, and is told when an outage loses it [R-15] [R-16]", {
  tag: "@long",
}, async ({ school: page, sandbox }) => {
  test.setTimeout(300_000);
  const day = workingDay(4);
  await sandbox.publish(day, ["04:30", "05:10", "05:42"]);
  await open(page, `/creneaux?du=${day}&au=${day}&de=4&a=6`, "Créneaux");
  const cell = (hour: string) => page.getByRole("button", { name: new RegExp(`${hour}, `) });
  await lookUntil(page, page.getByRole("button", { name: /4 heures 30, .*, ouvert$/ }));

  await test.step("ours, while the slots are not read again", async () => {
    const readAgain = await slotsHeldBack(page);
    await cell("5 heures 10").first().click();
    await page.getByRole("button", { name: "Retenir ce créneau" }).click();
    await expect(page.getByRole("heading", { name: "1 retenu" })).toBeVisible();
    await expect(page.getByRole("button", { name: /5 heures 10, .*, à vous$/ })).toBeVisible();
    readAgain();
  });

  const title = page.getByRole("heading", { level: 2, name: /^Demande de / });
  await test.step("the next request takes nobody's name", async () => {
    await turnTo(page, "/panier", "Panier");
    const first = await title.first().textContent();
    await turnTo(page, `/creneaux?du=${day}&au=${day}&de=4&a=6`, "Créneaux");
    await cell("5 heures 42").first().click();
    await page.getByRole("button", { name: "Retenir ce créneau" }).click();
    await expect(page.getByRole("heading", { name: "1 retenu" })).toBeVisible();
    await turnTo(page, "/panier", "Panier");
    await expect(title.nth(1)).toHaveText(first ?? "");
  });

  await test.step("lost in an outage: a line says so", async () => {
    await turnTo(page, `/creneaux?du=${day}&au=${day}&de=4&a=6`, "Créneaux");
    await sandbox.cutOnce("POST", "/creneaux");
    await cell("4 heures 30").first().click();
    await page.getByRole("button", { name: "Retenir ce créneau" }).click();
    await expect(page.getByRole("heading", { name: /1 en attente|1 refusé/ })).toBeVisible();
    await sandbox.mend();
    await turnTo(page, "/panier", "Panier");
    const line = page.getByRole("listitem").filter({ hasText: "04:30" });
    // The doubt is settled after the call's own limit, by polls further and further apart.
    await expect(line).toContainText("n'a pas retenu ce créneau", { timeout: 90_000 });
    await expect(line.getByText("Refusé")).toBeVisible();
    await expect(line.getByRole("link", { name: "Les plus proches" })).toBeVisible();
  });
});

test("a swap asks for the pairs of a day once, and not for one that has changed places [R-26]", {
  tag: "@long",
}, async ({ school: page, sandbox }) => {
  const day = workingDay(5);
  const slots = await sandbox.publish(day, ["20:10", "20:42"]);
  await open(page, `/creneaux?du=${day}&au=${day}&de=20&a=21`, "Créneaux");
  await lookUntil(page, page.getByRole("button", { name: /20 heures 42, .*, ouvert$/ }));
  const people = [await registered(page, sandbox), await registered(page, sandbox)];
  await booked(
    page,
    slots.map((slotId, index) => ({ slotId, candidateId: people[index]?.id ?? "" })),
  );
  let asked = 0;
  page.on("request", (request) => {
    if (new URL(request.url()).pathname.endsWith("/swappable")) asked += 1;
  });
  await turnTo(page, "/reservations", "Réservations");
  await page.getByRole("button", { name: new RegExp(`^Permuter .*${people[0]?.lastName}`) }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("radio", { name: new RegExp(people[1]?.lastName ?? "") }).check();
  await dialog.getByRole("button", { name: "Permuter" }).click();
  await expect(dialog).toHaveCount(0);
  // What the swap made old has been read again, and the events of it have come.
  await turnTo(page, "/messages", "Messages");
  await expect(
    page
      .getByRole("listitem")
      .filter({ hasText: /permut/i })
      .filter({ hasText: /20 h (10|42)/ })
      .first(),
  ).toBeVisible();
  await turnTo(page, "/reservations", "Réservations");
  await expect(
    page.getByRole("button", { name: new RegExp(`^Permuter .*${people[1]?.lastName}.*20:10`) }),
  ).toBeVisible();
  expect(asked).toBe(1);
});
