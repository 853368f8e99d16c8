import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { http } from "msw";
import { afterEach, describe, expect, test } from "vitest";
import { makeWorld } from "./mock/world.ts";
import { type Drawn, draw } from "./school.tsx";

let drawn: Drawn | undefined;
afterEach(() => {
  drawn?.server.close();
  drawn = undefined;
});

describe("the team [R-28]", () => {
  test("trainers have RdvPermis' names; an authorisation that ends or has ended is warned about", async () => {
    drawn = await draw("/equipe", "Équipe");
    expect(await screen.findByText(/à renouveler : Chloé Bernard, …3f9a\./)).toBeTruthy();
    expect(screen.getByText(/^finit dans 20 jours/)).toBeTruthy();
    expect(screen.getByText(/^a pris fin le /)).toBeTruthy();
  });

  test("an employee becomes a trainer", async () => {
    drawn = await draw("/equipe", "Équipe");
    const user = userEvent.setup();
    await user.click(await screen.findByRole("button", { name: "Ajouter comme formateur…" }));
    const dialog = await screen.findByRole("dialog");
    await user.click(within(dialog).getByRole("button", { name: "Enregistrer" }));
    await waitFor(() => expect(drawn?.world.trainers.at(-1)).toMatchObject({ id: "t-9", categories: ["B"] }));
  });

  test("who is no administrator reads, and finds nothing to change", async () => {
    const world = { ...makeWorld(), roles: ["school_manager"] };
    drawn = await draw("/equipe?onglet=vehicules", "Équipe", world);
    expect(await screen.findByText("Clio 2")).toBeTruthy();
    expect(screen.getByText(/L'administrateur de l'école gère/)).toBeTruthy();
    expect(screen.queryByRole("button", { name: /^Modifier|^Ajouter/ })).toBeNull();
  });

  test("hours typed show the full-time figure that they will make; declaring sends what changed [D-17]", async () => {
    drawn = await draw("/equipe?onglet=heures", "Équipe");
    const sent: unknown[] = [];
    drawn.server.use(
      http.put("*/api/v1/school/hours", async ({ request }) => {
        sent.push(await request.clone().json());
        return undefined;
      }),
    );
    const user = userEvent.setup();
    const field = await screen.findByLabelText(/^Hugo Petit, théorie/);
    await user.type(field, "30");
    expect(await screen.findByText(/, au lieu de /)).toBeTruthy();
    await user.click(screen.getByRole("button", { name: "Déclarer ces heures" }));
    await waitFor(() => expect(sent).toHaveLength(1));
    expect(sent[0]).toMatchObject({ hours: [{ trainerId: "t-2", category: "B", kind: "theory", hours: 30 }] });
  });

  test("the licence's end is warned about and can be noted", async () => {
    drawn = await draw("/equipe?onglet=agrement", "Équipe");
    const user = userEvent.setup();
    expect(await screen.findByText(/L'agrément finit bientôt/)).toBeTruthy();
    const day = screen.getByLabelText(/Dernier jour de l'agrément/);
    await user.clear(day);
    await user.type(day, "2031-06-30");
    await user.click(screen.getByRole("button", { name: "Enregistrer" }));
    await waitFor(() => expect(drawn?.world.school.licensedUntil).toBe("2031-06-30"));
    expect(await screen.findByText("jusqu'au 30 juin 2031")).toBeTruthy();
  });
});

describe("who is not free [R-18]", () => {
  test("a weekly absence is added, what it overlaps is named, and undo takes it back", async () => {
    drawn = await draw("/candidats/k-1", "Léa Martin");
    const user = userEvent.setup();
    const { world } = drawn;
    const form = await screen.findByRole("form", { name: "Noter une indisponibilité" });
    await user.type(within(form).getByLabelText(/^Du/), "2026-12-07T09:00");
    await user.clear(within(form).getByLabelText(/^Au/));
    await user.type(within(form).getByLabelText(/^Au/), "2026-12-07T12:00");
    await user.selectOptions(within(form).getByLabelText("Répétition"), "chaque semaine");
    await user.click(within(form).getByRole("button", { name: "Noter l'indisponibilité" }));
    expect(await screen.findByText(/1 réservation à venir tombe dans cette indisponibilité/)).toBeTruthy();
    expect(world.unavailabilities.at(-1)).toMatchObject({
      subject: { kind: "candidate", id: "k-1" },
      startsAt: "2026-12-07T09:00",
      rrule: "FREQ=WEEKLY;BYDAY=MO",
    });
    expect(await screen.findByText("chaque lundi")).toBeTruthy();
    await user.click(screen.getByRole("button", { name: /^Retirer l'indisponibilité lun\. 7 déc\. 09:00 – 12:00/ }));
    await waitFor(() => expect(world.unavailabilities.some((one) => one.subject.id === "k-1")).toBe(false));
    await user.click(await screen.findByRole("button", { name: "Défaire" }));
    await waitFor(() => expect(world.unavailabilities.some((one) => one.subject.id === "k-1")).toBe(true));
  });

  test("an end before its start is an error beside the field, and nothing is sent", async () => {
    drawn = await draw("/candidats/k-1", "Léa Martin");
    const user = userEvent.setup();
    const before = drawn.world.unavailabilities.length;
    const form = await screen.findByRole("form", { name: "Noter une indisponibilité" });
    await user.type(within(form).getByLabelText(/^Du/), "2026-12-07T09:00");
    await user.clear(within(form).getByLabelText(/^Au/));
    await user.type(within(form).getByLabelText(/^Au/), "2026-12-07T08:00");
    await user.click(within(form).getByRole("button", { name: "Noter l'indisponibilité" }));
    expect(await within(form).findByText("La fin vient après le début.")).toBeTruthy();
    expect(drawn.world.unavailabilities).toHaveLength(before);
  });

  test("a calendar file is read: what was kept and what was left out is shown", async () => {
    drawn = await draw("/equipe?onglet=disponibilites", "Équipe");
    const user = userEvent.setup();
    const text = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    const file = new File([text], "agenda.ics", { type: "text/calendar" });
    await user.upload(await screen.findByLabelText("Fichier d'agenda de Auto-école du Pont"), file);
    expect(
      await screen.findByText(/1 plage occupée est gardée\. Non repris : 2 événements libres, 1 événement passé\./),
    ).toBeTruthy();
  });

  describe("a calendar file that would lose something", () => {
    const text = [
      "BEGIN:VCALENDAR",
      ...["DTSTART;TZID=Nowhere:20270105T090000", "DTSTART:20270106T090000Z"].flatMap((line) => [
        "BEGIN:VEVENT",
        line,
        "END:VEVENT",
      ]),
      "END:VCALENDAR",
      "",
    ].join("\r\n");

    async function uploaded() {
      drawn = await draw("/equipe?onglet=disponibilites", "Équipe");
      const user = userEvent.setup();
      const file = new File([text], "agenda.ics", { type: "text/calendar" });
      await user.upload(await screen.findByLabelText("Fichier d'agenda de Auto-école du Pont"), file);
      const question = await screen.findByRole("alert");
      return { user, question, world: drawn.world, before: drawn.world.unavailabilities.length };
    }

    test("is named event by event, and nothing is changed before a person decides", async () => {
      const { user, question, world, before } = await uploaded();
      expect(question.textContent).toMatch(
        /Rien n'a changé.*apporte 1 plage occupée.*perdus : 1 événement illisible\./,
      );
      expect(within(question).getByText("5 janvier 2027 à 09:00, répété : illisible")).toBeTruthy();
      await user.click(within(question).getByRole("button", { name: "Garder l'agenda actuel" }));
      expect(screen.queryByRole("alert")).toBeNull();
      expect(world.unavailabilities).toHaveLength(before);
    });

    test("replaces the one before once a person says so", async () => {
      const { user, question, world, before } = await uploaded();
      await user.click(within(question).getByRole("button", { name: "Remplacer quand même" }));
      expect(await screen.findByText(/1 plage occupée est gardée\./)).toBeTruthy();
      expect(world.unavailabilities).toHaveLength(before + 1);
    });
  });

  test("a trainer's private address is shown once, and ended after a question", async () => {
    drawn = await draw("/equipe?onglet=disponibilites", "Équipe");
    const user = userEvent.setup();
    await waitFor(() => screen.getByRole("option", { name: "Hugo Petit" }));
    await user.selectOptions(screen.getByLabelText("Qui ou quoi"), "Hugo Petit");
    await user.click(await screen.findByRole("button", { name: "Nouvelle adresse privée…" }));
    await user.click(await screen.findByRole("button", { name: "Créer l'adresse" }));
    const address = await screen.findByLabelText<HTMLInputElement>("Adresse privée de Hugo Petit");
    expect(address.value).toMatch(/\/calendars\/.{43}\.ics$/);
    await user.click(screen.getByRole("button", { name: "Mettre fin à l'adresse…" }));
    await user.click(await screen.findByRole("button", { name: "Mettre fin" }));
    await waitFor(() => expect(screen.queryByLabelText("Adresse privée de Hugo Petit")).toBeNull());
  });
});

describe("a weekly unavailability", () => {
  const weeks = [
    // Whole Mondays in Paris until Sunday the 20th: Monday the 21st begins at 23:00 UTC of that very Sunday.
    ["94", "2026-12-07T00:00", "2026-12-08T00:00", "2026-12-20", "2026-12-13T23:00Z", "2026-12-20T23:00Z"],
    ["974", "2026-12-07T02:00", "2026-12-07T03:00", "2026-12-20", "2026-12-13T22:00Z", "2026-12-20T22:00Z"],
    // Mondays at 21:00 in Guadeloupe until Monday the 21st: that last evening is Tuesday in UTC.
    ["971", "2026-12-07T21:00", "2026-12-07T22:00", "2026-12-21", "2026-12-22T01:00Z", "2026-12-29T01:00Z"],
    // By day in Paris.
    ["94", "2026-12-07T09:00", "2026-12-07T12:00", "2026-12-21", "2026-12-21T08:00Z", "2026-12-28T08:00Z"],
  ] as const;

  async function untilOf(department: string, start: string, end: string, until: string): Promise<number> {
    const world = makeWorld();
    world.school.department = department;
    drawn = await draw("/equipe?onglet=disponibilites", "Équipe", world);
    const sent: { rrule?: string }[] = [];
    drawn.server.use(
      http.post("*/api/v1/unavailabilities", async ({ request }) => {
        sent.push((await request.clone().json()) as { rrule?: string });
        return undefined;
      }),
    );
    const form = within(await screen.findByRole("form", { name: "Noter une indisponibilité" }));
    fireEvent.change(form.getByLabelText(/^Du/), { target: { value: start } });
    fireEvent.change(form.getByLabelText(/^Au/), { target: { value: end } });
    fireEvent.change(form.getByLabelText("Répétition"), { target: { value: "weekly" } });
    fireEvent.change(form.getByLabelText(/^Jusqu'au/), { target: { value: until } });
    fireEvent.click(form.getByRole("button", { name: "Noter l'indisponibilité" }));
    await waitFor(() => expect(sent).toHaveLength(1));
    const stamp = /UNTIL=(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z/.exec(sent[0]?.rrule ?? "") ?? [];
    const [, year, month, day, hour, minute, second] = stamp;
    return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  }

  test.each(weeks)(
    "in %s, from %s to %s each week until %s: the last is kept and none after it",
    async (department, start, end, until, last, after) => {
      const moment = await untilOf(department, start, end, until);
      expect(moment).toBeGreaterThanOrEqual(Date.parse(last));
      expect(moment).toBeLessThan(Date.parse(after));
    },
  );
});

describe("what keeps a candidate from booking [R-21]", () => {
  test("each restriction has its end, reason and source; the next possible date stands above", async () => {
    drawn = await draw("/candidats/k-2", "Awa Diallo");
    const card = await screen.findByRole("region", { name: "Réservation possible ?" });
    expect(await within(card).findByText(/Permis B : prochaine date possible le/)).toBeTruthy();
    expect(card.textContent).toMatch(/échec à un examen.*calculée par ResaPermis/);
    expect(card.textContent).toMatch(/absence à un examen.*selon RdvPermis/);
  });

  test("one person proposes the waiver, another approves it; who proposed finds no button", async () => {
    drawn = await draw("/candidats/k-2", "Awa Diallo");
    const user = userEvent.setup();
    await user.click(await screen.findByRole("button", { name: "Demander la levée pour force majeure…" }));
    await user.click(await screen.findByRole("button", { name: "Demander la levée" }));
    expect(await screen.findByText("Une autre personne de l'école doit l'approuver.")).toBeTruthy();
    await user.click(screen.getByRole("button", { name: "Approuver la levée…" }));
    const dialog = await screen.findByRole("dialog");
    expect(dialog.textContent).toMatch(/Cette pénalité vient de RdvPermis/);
    await user.click(within(dialog).getByRole("button", { name: "Approuver" }));
    expect(await screen.findByText("levée")).toBeTruthy();
  });
});
