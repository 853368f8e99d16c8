/** The contract over a `World`, for MSW: component tests give it to `setupServer`, the mock server (`npm run dev:mock`) to `getResponse`. */
import { HttpResponse, http } from "msw";
import type { Line } from "../../src/api/contract/types.ts";
import { makeJournal } from "./journal.ts";
import { schoolHandlers } from "./school-handlers.ts";
import { GONE, iso, makeLine, makeMandate, month, type World } from "./world.ts";

export function handlers(world: World) {
  const journal = makeJournal(8);
  const page = <T>(items: T[]) => HttpResponse.json({ items, nextCursor: null, serverTime: iso() });
  const lines = () => world.basket.groups.flatMap((group) => group.lines);
  const lineOf = (id: unknown): Line | undefined => lines().find((line) => line.id === id);
  const outcome = (group: World["basket"]["groups"][number]) => ({
    group,
    results: group.lines.map((line) => ({
      lineId: line.id,
      slotId: line.slot.id,
      state: line.state,
      problem: line.reason,
    })),
    serverTime: iso(),
  });
  /** A group as the answer to a hold has it: no name is read for it. */
  const unnamed = (group: World["basket"]["groups"][number]) => ({
    ...group,
    lines: group.lines.map((line) => ({
      ...line,
      candidate: line.candidate && { id: line.candidate.id, displayName: `…${line.candidate.id.slice(-4)}` },
    })),
  });
  const missing = () => HttpResponse.json({ code: "NOT_FOUND", status: 404 }, { status: 404 });
  return [
    ...schoolHandlers(world),
    http.get("*/auth/session", ({ request }) =>
      world.signedIn || request.headers.get("cookie")?.includes("mock-session=1")
        ? HttpResponse.json({
            user: { id: world.userId, displayName: "Camille Roux" },
            school: { id: "s-1", name: world.school.name, department: world.school.department ?? "94" },
            roles: world.roles,
            scope: [],
            csrfToken: "t",
            expiresAt: iso(14 * 60_000),
          })
        : HttpResponse.json({ code: "UNAUTHENTICATED", status: 401 }, { status: 401 }),
    ),
    http.get("*/api/v1/me/sessions", () => HttpResponse.json({ items: world.ownSessions, serverTime: iso() })),
    http.delete("*/api/v1/me/sessions/:id", ({ params }) => {
      const before = world.ownSessions.length;
      world.ownSessions = world.ownSessions.filter((one) => one.id !== params.id);
      return world.ownSessions.length < before ? new HttpResponse(null, { status: 204 }) : missing();
    }),
    http.get("*/api/v1/me/grant", () => HttpResponse.json(world.ownGrant)),
    http.post("*/api/v1/me/grant", ({ request }) =>
      HttpResponse.json({ authorizationUrl: new URL("/compte#chez-rdvpermis", request.url).href }),
    ),
    http.delete("*/api/v1/me/grant", () => {
      if (world.ownGrant.grant) {
        world.ownGrant = { ...world.ownGrant, grant: null, ended: { endedAt: iso(), reason: "withdrawn" } };
      }
      return new HttpResponse(null, { status: 204 });
    }),
    http.get("*/api/v1/school/background-work", () => HttpResponse.json(world.background)),
    http.get("*/auth/login", ({ request }) => {
      const returnTo = new URL(request.url).searchParams.get("returnTo") ?? "/";
      return HttpResponse.html(
        `<form method="post" action="/auth/form"><input name="username"><input name="password" type="password">
         <input type="hidden" name="returnTo" value="${encodeURI(returnTo)}"><button>OK</button></form>`,
      );
    }),
    http.post("*/auth/form", async ({ request }) => {
      const form = new URLSearchParams(await request.text());
      return new HttpResponse(null, {
        status: 303,
        headers: { Location: form.get("returnTo") ?? "/", "Set-Cookie": "mock-session=1; Path=/" },
      });
    }),
    http.post("*/auth/logout", () => {
      world.signedIn = false;
      return HttpResponse.json({ redirect: "/" }, { headers: { "Set-Cookie": "mock-session=; Path=/; Max-Age=0" } });
    }),
    http.get("*/api/v1/slots", () =>
      HttpResponse.json({
        items: world.slots,
        nextCursor: null,
        seenAt: iso(-8000),
        incomplete: false,
        incompleteReason: null,
        threshold: world.thresholds[0] ?? null,
        thresholds: world.thresholds.slice(0, 1).flatMap((one) => [0, 1, 2].map((n) => ({ ...one, month: month(n) }))),
        days: world.days,
        pollsLeft: 120,
        serverTime: iso(),
      }),
    ),
    http.get("*/api/v1/centres", () =>
      page([...new Map(world.slots.map(({ centre }) => [centre.id, centre])).values()]),
    ),
    http.get("*/api/v1/basket", () => HttpResponse.json({ ...world.basket, serverTime: iso() })),
    http.post("*/api/v1/basket/items", async ({ request }) => {
      const { items } = (await request.json()) as { items: { slotId: string; candidateId?: string }[] };
      const named = (id: string | undefined) => {
        const person = world.candidates.find((one) => one.id === id);
        return person ? { id: person.id, displayName: `${person.firstName} ${person.lastName}` } : null;
      };
      const group = {
        id: crypto.randomUUID(),
        createdAt: iso(),
        expiresAt: iso(15 * 60_000),
        lines: items.flatMap(({ slotId, candidateId }, index) => {
          const slot = world.slots.find((one) => one.id === slotId);
          if (!slot) return [];
          const gone = index === 2;
          return [
            makeLine(crypto.randomUUID(), slot, {
              state: gone ? "refused" : "held",
              candidate: named(candidateId),
              reason: gone ? GONE : null,
            }),
          ];
        }),
      };
      world.basket.groups.unshift(group);
      return HttpResponse.json(outcome(unnamed(group)), { status: items.length > 2 ? 207 : 201 });
    }),
    http.put("*/api/v1/basket/items/:id/candidate", async ({ request, params }) => {
      const { candidateId } = (await request.json()) as { candidateId: string | null };
      const line = lineOf(params.id);
      if (!line) return missing();
      const person = world.candidates.find((one) => one.id === candidateId);
      line.candidate = person ? { id: person.id, displayName: `${person.firstName} ${person.lastName}` } : null;
      return HttpResponse.json(line);
    }),
    http.delete("*/api/v1/basket/items/:id", ({ params }) => {
      const line = lineOf(params.id);
      if (!line) return missing();
      line.state = "released";
      return HttpResponse.json(line);
    }),
    http.post("*/api/v1/basket/validation", async ({ request }) => {
      const { groupId } = (await request.json()) as { groupId: string };
      const group = world.basket.groups.find((one) => one.id === groupId);
      if (!group) return missing();
      for (const line of group.lines) if (line.state === "held") line.state = "booked";
      return HttpResponse.json(outcome(group));
    }),
    http.get("*/api/v1/bookings", ({ request }) => {
      const query = new URL(request.url).searchParams;
      const all = world.bookings[(query.get("filter") as keyof World["bookings"] | null) ?? "upcoming"];
      const whose = query.get("candidate");
      const items = whose ? all.filter((one) => one.candidate?.id === whose) : all;
      const months = [...new Set(items.map(({ slot }) => slot.startsAt.slice(0, 7)))];
      return HttpResponse.json({
        items,
        nextCursor: null,
        replacements: { left: 3, perMonth: 5 },
        replacementsByMonth: months.map((one) => ({ category: "B", month: one, left: 3, perMonth: 5 })),
        serverTime: iso(),
      });
    }),
    http.post("*/api/v1/bookings/:id/cancellation", ({ params }) => {
      const found = world.bookings.upcoming.find((one) => one.id === params.id);
      if (!found) return missing();
      world.bookings.upcoming = world.bookings.upcoming.filter((one) => one !== found);
      const cancelled = { ...found, state: "cancelled" as const };
      world.bookings.past = [cancelled, ...world.bookings.past];
      return HttpResponse.json(cancelled);
    }),
    http.post("*/api/v1/bookings/:id/replacement", async ({ params, request }) => {
      const { candidateId } = (await request.json()) as { candidateId: string };
      const found = world.bookings.upcoming.find((one) => one.id === params.id);
      const next = world.candidates.find((one) => one.id === candidateId);
      if (!found || !next) return missing();
      const candidate = { id: next.id, displayName: `${next.firstName} ${next.lastName}` };
      const replaced = { ...found, id: `${found.id}-next`, candidate };
      world.bookings.upcoming = world.bookings.upcoming.map((one) => (one === found ? replaced : one));
      return HttpResponse.json(replaced);
    }),
    http.post("*/api/v1/bookings/:id/swap", async ({ params, request }) => {
      const { otherBookingId } = (await request.json()) as { otherBookingId: string };
      const one = world.bookings.upcoming.find(({ id }) => id === params.id);
      const other = world.bookings.upcoming.find(({ id }) => id === otherBookingId);
      if (!one || !other) return missing();
      const swapped = [
        { ...one, id: `${one.id}-next`, candidate: other.candidate ?? null },
        { ...other, id: `${other.id}-next`, candidate: one.candidate ?? null },
      ];
      const rest = world.bookings.upcoming.filter((booking) => booking !== one && booking !== other);
      world.bookings.upcoming = [...swapped, ...rest];
      return HttpResponse.json({ items: swapped });
    }),
    http.get("*/api/v1/candidates", () => page(world.candidates)),
    http.get("*/api/v1/candidates/:id", ({ params }) => {
      const found = world.candidates.find((one) => one.id === params.id);
      return found ? HttpResponse.json(found) : missing();
    }),
    http.post("*/api/v1/candidates/search", async ({ request }) => {
      const { query } = (await request.json()) as { query: string };
      const words = query.toLowerCase();
      return page(
        world.candidates.filter((one) => `${one.lastName} ${one.firstName} ${one.neph}`.toLowerCase().includes(words)),
      );
    }),
    http.post("*/api/v1/candidates", async ({ request }) => {
      const body = (await request.json()) as { lastName: string; firstName: string; neph: string; email?: string };
      const made = {
        ...body,
        email: body.email ?? null,
        id: crypto.randomUUID(),
        createdAt: iso(),
        nephUnusual: false,
        version: 1,
        mandates: [],
      };
      world.candidates.unshift(made);
      return HttpResponse.json(made, { status: 201 });
    }),
    http.patch("*/api/v1/candidates/:id", async ({ request, params }) => {
      const { version, ...changed } = (await request.json()) as Partial<World["candidates"][number]>;
      const found = world.candidates.find((one) => one.id === params.id);
      if (!found) return missing();
      if (version && version !== found.version) {
        return HttpResponse.json({ code: "STALE", status: 412 }, { status: 412 });
      }
      return HttpResponse.json(Object.assign(found, changed, { version: found.version + 1 }));
    }),
    http.post("*/api/v1/mandates", async ({ request }) => {
      const { candidateId, category } = (await request.json()) as { candidateId: string; category: string };
      const person = world.candidates.find((one) => one.id === candidateId);
      if (!person) return missing();
      const mandate = makeMandate(candidateId, {
        id: crypto.randomUUID(),
        category,
        state: "pending",
        expiresAt: null,
      });
      person.mandates.push(mandate);
      return HttpResponse.json(mandate, { status: 201 });
    }),
    http.post("*/api/v1/mandates/:id/revocation", ({ params }) => {
      const mandate = world.candidates.flatMap((one) => one.mandates).find((one) => one.id === params.id);
      if (!mandate) return missing();
      mandate.state = "revoked";
      return HttpResponse.json(mandate);
    }),
    http.get("*/api/v1/thresholds", () => page(world.thresholds)),
    http.get("*/api/v1/notifications", () =>
      HttpResponse.json({
        items: world.notices,
        nextCursor: null,
        unread: world.notices.filter((notice) => !notice.readAt).length,
        serverTime: iso(),
      }),
    ),
    http.post("*/api/v1/notifications/:id/read", ({ params }) => {
      const notice = world.notices.find((one) => one.id === params.id);
      if (!notice) return missing();
      notice.readAt = iso();
      return HttpResponse.json(notice);
    }),
    http.get("*/api/v1/notifications/stream", ({ request }) => {
      const encoder = new TextEncoder();
      const body = new ReadableStream<Uint8Array>({
        start(controller) {
          const tick = () => controller.enqueue(encoder.encode(`event: tick\ndata: {"serverTime":"${iso()}"}\n\n`));
          tick();
          const timer = setInterval(tick, 10_000);
          request.signal.addEventListener("abort", () => clearInterval(timer));
        },
      });
      return new HttpResponse(body, { headers: { "Content-Type": "text/event-stream" } });
    }),
    http.get("*/api/v1/audit/records", () => page(world.records)),
    http.get("*/api/v1/audit/security-records", () => page(world.securityRecords)),
    http.get("*/api/v1/audit/checkpoint", () =>
      HttpResponse.json({ note: journal.note, verifierKey: journal.verifierKey }),
    ),
    http.get("*/api/v1/audit/records/:id/proof", ({ params }) => {
      const record = world.records.find((one) => one.id === params.id);
      return record?.leafIndex ? HttpResponse.json(journal.claim(record.leafIndex)) : missing();
    }),
    http.get("*/api/v1/audit/security-records/:id/proof", ({ params }) => {
      const record = world.securityRecords.find((one) => one.id === params.id);
      return record?.leafIndex ? HttpResponse.json(journal.claim(record.leafIndex)) : missing();
    }),
  ];
}
