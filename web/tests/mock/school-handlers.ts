/** The routes about the school itself, what is prepared and what is explained, over a `World`. */
import { HttpResponse, http } from "msw";
import type { Hours, Need, Trainer, Unavailability, Vehicle } from "../../src/api/contract/types.ts";
import { iso, type World } from "./world.ts";

export function schoolHandlers(world: World) {
  const missing = () => HttpResponse.json({ code: "NOT_FOUND", status: 404 }, { status: 404 });
  const items = <T>(list: T[]) => HttpResponse.json({ items: list, serverTime: iso() });
  const lines = () => world.basket.groups.flatMap((group) => group.lines);
  const restricted = (candidateId: string): Need[] =>
    (world.standings.find((one) => one.candidateId === candidateId)?.restrictions ?? [])
      .filter((restriction) => !restriction.waived)
      .map((restriction) => ({
        rule: "R-PENALTY",
        source: "arrêté of 20 April 2012",
        remedy: "wait",
        facts: { reason: restriction.reason },
        opensAt: restriction.until,
        detail: null,
        action: null,
      }));
  return [
    http.post("*/api/v1/basket/check", async ({ request }) => {
      const asked = (await request.json()) as {
        items: { slotId: string; candidateId?: string; trainerId?: string }[];
      };
      return HttpResponse.json({
        lines: asked.items.map(({ slotId, candidateId, trainerId }) => {
          const slot = world.slots.find((one) => one.id === slotId);
          const needs: Need[] = [
            ...(slot?.verdicts ?? [])
              .filter((verdict) => !verdict.allowed)
              .map(({ rule, source, remedy, facts, opensAt }) => ({
                rule,
                source,
                remedy: remedy ?? null,
                facts,
                opensAt: opensAt ?? null,
                detail: null,
                action: null,
              })),
            ...(candidateId ? restricted(candidateId) : []),
            ...(trainerId === "t-1"
              ? [
                  {
                    rule: "R-AVAILABLE",
                    source: "ResaPermis",
                    remedy: "choose_another_trainer",
                    facts: { whose: "trainer", what: "unavailable" },
                    opensAt: null,
                    detail: null,
                    action: null,
                  },
                ]
              : []),
          ];
          return { slotId, allowed: needs.length === 0, opensAt: slot?.opensAt ?? null, needs };
        }),
        actionNeeds: [],
        serverTime: iso(),
      });
    }),
    http.post("*/api/v1/basket/preparation", async ({ request }) => {
      const { candidateIds } = (await request.json()) as { candidateIds: string[] };
      return HttpResponse.json({
        basketExpiresAt: iso(14 * 60_000),
        basketProblem: null,
        candidates: candidateIds.map((candidateId) => {
          const needs = restricted(candidateId);
          const person = world.candidates.find((one) => one.id === candidateId);
          const displayName = person ? `${person.firstName} ${person.lastName}` : candidateId;
          return {
            candidate: { id: candidateId, displayName },
            ready: needs.length === 0,
            needs,
            rdvpermisAsked: true,
          };
        }),
        callsLeft: 42,
        waitUntil: null,
        rdvpermisReachable: true,
        tokenFresh: true,
        preparedAt: iso(),
        serverTime: iso(),
      });
    }),
    http.put("*/api/v1/basket/items/:id/accompaniment", async ({ request, params }) => {
      const body = (await request.json()) as { trainerId: string | null; vehicleId: string | null };
      const line = lines().find((one) => one.id === params.id);
      if (!line) return missing();
      Object.assign(line, body);
      return HttpResponse.json(line);
    }),
    http.get("*/api/v1/bookings/results", () => items(world.results)),
    http.get("*/api/v1/bookings/:id/swappable", ({ params }) =>
      items(world.bookings.upcoming.filter((one) => one.id !== params.id && one.state === "booked")),
    ),
    http.get("*/api/v1/bookings/:id/cancellation", ({ params }) => {
      const late = params.id === "b-1";
      return HttpResponse.json({
        possible: true,
        late,
        restrictedDays: late ? 30 : 0,
        restrictedUntil: late ? iso(30 * 86_400_000) : null,
        freeUntil: late ? null : iso(3 * 86_400_000),
      });
    }),
    http.get("*/api/v1/favourite-centres", () => HttpResponse.json({ items: world.favourites, seenAt: iso(-9000) })),
    http.put("*/api/v1/favourite-centres", async ({ request }) => {
      const { category, favourites } = (await request.json()) as {
        category: string;
        favourites: { centreId: string; priority: number }[];
      };
      const names = new Map(world.slots.map(({ centre }) => [centre.id, centre]));
      world.favourites = [
        ...world.favourites.filter((one) => one.category !== category),
        ...favourites.map((one) => ({
          ...one,
          category,
          centreName: names.get(one.centreId)?.name ?? "",
          department: names.get(one.centreId)?.department ?? null,
        })),
      ];
      const group = world.favourites.filter((one) => one.category === category);
      return HttpResponse.json({ items: group, seenAt: iso() });
    }),
    http.get("*/api/v1/saved-searches", () => items(world.searches)),
    http.post("*/api/v1/saved-searches", async ({ request }) => {
      const body = (await request.json()) as Pick<World["searches"][number], "label" | "search" | "alert">;
      const made = { ...body, id: crypto.randomUUID(), createdAt: iso(), matchedAt: null };
      world.searches.unshift(made);
      return HttpResponse.json(made, { status: 201 });
    }),
    http.delete("*/api/v1/saved-searches/:id", ({ params }) => {
      world.searches = world.searches.filter((one) => one.id !== params.id);
      return new HttpResponse(null, { status: 204 });
    }),
    http.get("*/api/v1/rules/parameters", () => items(world.parameters)),
    http.get("*/api/v1/school", () => HttpResponse.json(world.school)),
    http.put("*/api/v1/school/licence", async ({ request }) => {
      Object.assign(world.school, await request.json());
      return HttpResponse.json(world.school);
    }),
    http.get("*/api/v1/school/trainers", () =>
      HttpResponse.json({
        items: world.trainers,
        others: [{ id: "t-9", displayName: "Inès Moreau" }],
        namesMissing: false,
      }),
    ),
    http.put("*/api/v1/school/trainers/:id", async ({ request, params }) => {
      const id = String(params.id);
      const found = world.trainers.find((one) => one.id === id);
      const made = { id, displayName: "Inès Moreau", mayAccompany: true, ...((await request.json()) as object) };
      const trainer = Object.assign(
        found ?? ({} as Trainer),
        found ? { ...made, displayName: found.displayName } : made,
      );
      if (!found) world.trainers.push(trainer);
      return HttpResponse.json(trainer);
    }),
    http.get("*/api/v1/school/vehicles", () => items(world.vehicles)),
    http.post("*/api/v1/school/vehicles", async ({ request }) => {
      const made = { ...((await request.json()) as Omit<Vehicle, "id">), id: crypto.randomUUID() };
      world.vehicles.push(made);
      return HttpResponse.json(made, { status: 201 });
    }),
    http.put("*/api/v1/school/vehicles/:id", async ({ request, params }) => {
      const vehicle = world.vehicles.find((one) => one.id === params.id);
      if (!vehicle) return missing();
      Object.assign(vehicle, await request.json());
      return HttpResponse.json(vehicle);
    }),
    http.get("*/api/v1/school/hours", () =>
      HttpResponse.json({ items: world.hours, fte: world.fte, nextAt: iso(20 * 86_400_000) }),
    ),
    http.put("*/api/v1/school/hours", async ({ request }) => {
      const { hours } = (await request.json()) as { hours: Hours[] };
      const same = (a: Hours, b: Hours) =>
        a.trainerId === b.trainerId && a.month === b.month && a.category === b.category && a.kind === b.kind;
      world.hours = [...world.hours.filter((old) => !hours.some((one) => same(old, one))), ...hours];
      return HttpResponse.json({ items: world.hours, fte: world.fte, nextAt: iso(20 * 86_400_000) });
    }),
    http.get("*/api/v1/candidates/:id/standing", ({ params }) =>
      HttpResponse.json(
        world.standings.find((one) => one.candidateId === params.id) ?? {
          candidateId: params.id,
          restrictions: [],
          nextPossibleAt: {},
        },
      ),
    ),
    http.post("*/api/v1/restrictions/:id/waiver", ({ params }) => {
      const restriction = world.standings.flatMap((one) => one.restrictions).find((one) => one.id === params.id);
      if (!restriction) return missing();
      Object.assign(restriction, { waiverProposed: true, waiverProposedByMe: true });
      return new HttpResponse(null, { status: 204 });
    }),
    http.post("*/api/v1/restrictions/:id/waiver-approval", ({ params }) => {
      const restriction = world.standings.flatMap((one) => one.restrictions).find((one) => one.id === params.id);
      if (!restriction) return missing();
      restriction.waived = true;
      return new HttpResponse(null, { status: 204 });
    }),
    http.get("*/api/v1/unavailabilities", ({ request }) => {
      const query = new URL(request.url).searchParams;
      const matches = ({ subject }: Unavailability) =>
        subject.kind === query.get("subject") && subject.id === query.get("subjectId");
      return items(world.unavailabilities.filter(matches));
    }),
    http.post("*/api/v1/unavailabilities", async ({ request }) => {
      const body = (await request.json()) as Omit<Unavailability, "id" | "imported" | "timeZone">;
      const made: Unavailability = {
        timeZone: "Europe/Paris",
        ...body,
        subject: { kind: body.subject.kind, id: body.subject.id ?? null },
        rrule: body.rrule ?? null,
        id: crypto.randomUUID(),
        imported: false,
      };
      world.unavailabilities.push(made);
      return HttpResponse.json(
        { unavailability: made, metLineIds: body.subject.kind === "candidate" ? ["b-1"] : [] },
        { status: 201 },
      );
    }),
    http.delete("*/api/v1/unavailabilities/:id", ({ params }) => {
      world.unavailabilities = world.unavailabilities.filter((one) => one.id !== params.id);
      return new HttpResponse(null, { status: 204 });
    }),
    http.post("*/api/v1/unavailabilities/import", async ({ request }) => {
      const query = new URL(request.url).searchParams;
      const text = await request.text();
      const subject = {
        kind: (query.get("subject") ?? "school") as Unavailability["subject"]["kind"],
        id: query.get("subjectId"),
      };
      const kept = text.split("BEGIN:VEVENT").length - 1;
      const lost = { why: "unreadable", starts: "2027-01-05T09:00", repeats: true };
      const unread = text.split("TZID=Nowhere").length - 1;
      if (unread > 0 && query.get("despiteLosses") !== "true") {
        return HttpResponse.json({
          kept: 0,
          leftOut: { unreadable: unread, past: 1 },
          needsConfirmation: true,
          wouldKeep: kept - unread,
          lost: [lost],
        });
      }
      world.unavailabilities.push({
        id: crypto.randomUUID(),
        subject,
        startsAt: `${iso(8 * 86_400_000).slice(0, 10)}T00:00`,
        endsAt: `${iso(9 * 86_400_000).slice(0, 10)}T00:00`,
        rrule: null,
        timeZone: "Europe/Paris",
        imported: true,
      });
      return HttpResponse.json({
        kept: kept - unread,
        leftOut: { not_busy: 2, past: 1 },
        needsConfirmation: false,
        wouldKeep: 0,
        lost: [],
      });
    }),
    http.post("*/api/v1/calendar-feeds/:id", () =>
      HttpResponse.json({ address: `https://resapermis.test/calendars/${"x".repeat(43)}.ics` }, { status: 201 }),
    ),
    http.delete("*/api/v1/calendar-feeds/:id", () => new HttpResponse(null, { status: 204 })),
  ];
}
