/**
 * A small school for component tests and for looking at pages without a stack: the contract's shapes with made-up data. It decides
 * nothing; what is true is tested against the running platform in e2e/.
 */
import type {
  AuditRecord,
  BackgroundWork,
  Basket,
  Booking,
  Candidate,
  Centre,
  FavouriteCentre,
  Fte,
  Hours,
  Line,
  Mandate,
  Notice,
  OwnGrant,
  OwnSession,
  Parameter,
  PolledDay,
  ResultCount,
  SavedSearch,
  School,
  Slot,
  Standing,
  Threshold,
  Trainer,
  Unavailability,
  Vehicle,
} from "../../src/api/contract/types.ts";
import { addDays, todayInParis } from "../../src/time/calendar.ts";

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

export function iso(msFromNow = 0): string {
  return new Date(Date.now() + msFromNow).toISOString();
}

function hourOf(minutes: number): string {
  return `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`;
}

const makeCentre = (id: string, name: string, distanceKm: number, travelMinutes: number): Centre => ({
  id,
  name,
  department: "94",
  latitude: null,
  longitude: null,
  distanceKm,
  travelMinutes,
});

export const CENTRES = [
  makeCentre("c-rungis", "Rungis", 6.4, 14),
  makeCentre("c-creteil", "Créteil", 3.1, 9),
  makeCentre("c-maisons", "Maisons-Alfort", 4.8, 12),
];

export function makeSlot(index: number, day: string, minute: number, over: Partial<Slot> = {}): Slot {
  const centre = CENTRES[index % CENTRES.length];
  if (!centre) throw new Error("no centre");
  return {
    id: `slot-${index}`,
    centre,
    startsAt: `${day}T${hourOf(minute)}`,
    endsAt: `${day}T${hourOf(minute + 32)}`,
    timeZone: "Europe/Paris",
    category: "B",
    kind: "CIRCULATION",
    status: "free",
    seenAt: iso(-8000),
    verdicts: [],
    allowed: true,
    opensAt: null,
    opensToAllAt: null,
    distanceKm: null,
    travelMinutes: null,
    ...over,
  };
}

function closedUntil(msFromNow: number): Partial<Slot> {
  const opensAt = iso(msFromNow);
  return {
    allowed: false,
    opensAt,
    verdicts: [
      {
        rule: "R-TERRITORY",
        allowed: false,
        facts: { slotDepartment: "91", schoolDepartment: "94" },
        source: "RdvPermis charter 3.2",
        opensAt,
        remedy: "wait",
      },
    ],
  };
}

export function makeSlots(): Slot[] {
  const first = todayInParis(Date.now());
  const slots: Slot[] = [];
  for (let offset = 1; offset < 14; offset += 1) {
    const day = addDays(first, offset);
    const weekday = new Date(`${day}T00:00Z`).getUTCDay();
    if (weekday === 0 || weekday === 6) continue;
    for (let step = 0; step < 12; step += 1) {
      const minute = (step < 7 ? 8 * 60 : 13 * 60 + 30 - 7 * 32) + step * 32;
      for (let centre = 0; centre < 3; centre += 1) {
        const index = slots.length;
        const dice = (offset * 31 + step * 17 + centre * 7) % 10;
        if (dice === 9) continue;
        const over: Partial<Slot> =
          dice < 3
            ? {}
            : dice < 6
              ? { status: "taken", allowed: false }
              : dice === 6
                ? closedUntil(27 * 60 * MINUTE)
                : dice === 7
                  ? { status: "ours", allowed: false }
                  : {};
        slots.push({ ...makeSlot(index, day, minute, over), centre: CENTRES[centre] ?? makeSlot(0, day, 0).centre });
      }
    }
  }
  return slots;
}

/** Four weeks: working days read seconds ago, the empty ones minutes ago. */
export function makeDays(): PolledDay[] {
  const first = todayInParis(Date.now());
  return Array.from({ length: 28 }, (_, offset) => {
    const date = addDays(first, offset);
    const weekday = new Date(`${date}T00:00Z`).getUTCDay();
    const off = weekday === 0 || weekday === 6;
    return { date, polls: 3, seenAt: iso(off ? -25 * MINUTE : -8000), unseen: false };
  });
}

export function makeMandate(candidateId: string, over: Partial<Mandate> = {}): Mandate {
  return {
    id: `m-${candidateId}`,
    candidateId,
    category: "B",
    gearbox: "manual",
    state: "active",
    since: iso(-40 * 24 * 60 * MINUTE),
    expiresAt: iso(300 * 24 * 60 * MINUTE),
    seenAt: iso(-30_000),
    rdvpermisCode: null,
    ...over,
  };
}

export function makeCandidate(id: string, lastName: string, firstName: string, mandates?: Mandate[]): Candidate {
  return {
    id,
    lastName,
    firstName,
    neph: "020694100123",
    email: `${firstName.toLowerCase()}@example.test`,
    createdAt: iso(-40 * DAY),
    nephUnusual: false,
    version: 1,
    mandates: mandates ?? [makeMandate(id)],
  };
}

export const GONE = {
  code: "RDVPERMIS_SLOT_GONE",
  detail: "",
  rdvpermisCode: "CRENEAU_DEJA_RESERVE",
  verdicts: [],
  remedy: "choose_another_slot",
  retryAt: null,
  errorId: null,
};

export function makeLine(id: string, slot: Slot, over: Partial<Line> = {}): Line {
  return {
    id,
    slot,
    groupId: "g-1",
    candidate: null,
    state: "held",
    since: iso(-40_000),
    reason: null,
    changing: false,
    examId: null,
    expiresAt: null,
    trainerId: null,
    vehicleId: null,
    foundElsewhere: false,
    result: null,
    ...over,
  };
}

/** One that was given a month ago. */
export const makeGrant = (over: Partial<NonNullable<OwnGrant["grant"]>> = {}): NonNullable<OwnGrant["grant"]> => ({
  givenAt: iso(-30 * DAY),
  endsAt: iso(335 * DAY),
  lastUsedAt: iso(-DAY / 24),
  refusedAt: null,
  ...over,
});

export interface World {
  signedIn: boolean;
  userId: string;
  roles: string[];
  ownSessions: OwnSession[];
  ownGrant: OwnGrant;
  background: BackgroundWork;
  slots: Slot[];
  days: PolledDay[];
  candidates: Candidate[];
  basket: Basket;
  bookings: Record<"upcoming" | "to_confirm" | "past", Booking[]>;
  thresholds: Threshold[];
  notices: Notice[];
  records: AuditRecord[];
  securityRecords: AuditRecord[];
  favourites: FavouriteCentre[];
  searches: SavedSearch[];
  school: School;
  trainers: Trainer[];
  vehicles: Vehicle[];
  hours: Hours[];
  fte: Fte[];
  parameters: Parameter[];
  standings: Standing[];
  unavailabilities: Unavailability[];
  results: ResultCount[];
}

export function month(offset: number): string {
  const date = new Date(`${todayInParis(Date.now()).slice(0, 7)}-15T00:00Z`);
  date.setUTCMonth(date.getUTCMonth() + offset);
  return date.toISOString().slice(0, 7);
}

/** What the administrator keeps, who is free, who is restricted. */
function makeSchool(): Pick<
  World,
  | "favourites"
  | "searches"
  | "school"
  | "trainers"
  | "vehicles"
  | "hours"
  | "fte"
  | "parameters"
  | "standings"
  | "unavailabilities"
  | "results"
> {
  const today = todayInParis(Date.now());
  const day = (offset: number) => addDays(today, offset);
  const trainer = { department: "94", activeFrom: day(-400), activeUntil: null, mayAccompany: true };
  return {
    favourites: [{ category: "B", centreId: "c-rungis", priority: 0, centreName: "Rungis", department: "94" }],
    searches: [
      {
        id: "q-1",
        label: "Rungis le matin",
        search: {
          department: "94",
          category: "B",
          centres: ["c-rungis"],
          withinKm: null,
          dayFrom: "08:00",
          dayTo: "12:00",
          consecutive: 1,
          openNow: false,
          kind: null,
          weekdays: [],
        },
        createdAt: iso(-9 * DAY),
        matchedAt: iso(-2 * DAY),
        alert: true,
      },
    ],
    school: {
      id: "s-1",
      name: "Auto-école du Pont",
      licenceNumber: "E 02 094 0001 0",
      department: "94",
      licensedUntil: day(40),
      declaredFte: 2.5,
      seenAt: iso(-20_000),
      latitude: null,
      longitude: null,
    },
    trainers: [
      { ...trainer, id: "t-1", displayName: "Chloé Bernard", categories: ["B"], authorisedUntil: day(20) },
      { ...trainer, id: "t-2", displayName: "Hugo Petit", categories: ["B", "A"], authorisedUntil: day(700) },
      {
        ...trainer,
        id: "t-3",
        displayName: "…3f9a",
        categories: ["B"],
        authorisedUntil: day(-3),
        mayAccompany: false,
      },
    ],
    vehicles: [
      { id: "v-1", label: "Clio 2", categories: ["B"], gearbox: "manual", retired: false },
      { id: "v-2", label: "Zoe", categories: ["B"], gearbox: "automatic", retired: false },
    ],
    hours: [
      { trainerId: "t-1", month: month(-3), category: "B", kind: "practical", hours: 140 },
      { trainerId: "t-1", month: month(-2), category: "B", kind: "practical", hours: 138 },
      { trainerId: "t-1", month: month(0), category: "B", kind: "practical", hours: 60 },
      { trainerId: "t-1", month: month(-1), category: "B", kind: "practical", hours: 134 },
      { trainerId: "t-1", month: month(-1), category: "B", kind: "accompanied", hours: 12 },
      { trainerId: "t-2", month: month(-1), category: "B", kind: "practical", hours: 151 },
    ],
    fte: [
      {
        department: "94",
        category: "B",
        fte: 1.98,
        firstMonth: month(-3),
        lastMonth: month(-1),
        computedAt: iso(-2 * DAY),
      },
    ],
    parameters: [
      {
        name: "publication_minutes",
        value: "900",
        department: null,
        category: null,
        validFrom: iso(-300 * DAY),
        state: "in_force",
      },
      {
        name: "threshold_rate",
        value: "4.5",
        department: null,
        category: null,
        validFrom: iso(-300 * DAY),
        state: "in_force",
      },
      {
        name: "threshold_rate",
        value: "5",
        department: "94",
        category: "B",
        validFrom: iso(10 * DAY),
        state: "to_come",
      },
      { name: "basket", value: "12", department: null, category: null, validFrom: iso(-300 * DAY), state: "in_force" },
      {
        name: "hold_ttl_seconds",
        value: "900",
        department: null,
        category: null,
        validFrom: iso(-300 * DAY),
        state: "in_force",
      },
    ],
    standings: [
      {
        candidateId: "k-2",
        restrictions: [
          {
            id: "restriction-1",
            category: "B",
            reason: "failure",
            detail: "échec à un examen",
            since: iso(-4 * DAY),
            until: iso(10 * DAY),
            fromRdvpermis: false,
            waived: false,
            waiverProposed: false,
            waiverProposedByMe: false,
          },
          {
            id: "restriction-2",
            category: "B",
            reason: "ABSENCE",
            detail: "absence, dit RdvPermis",
            since: iso(-10 * DAY),
            until: iso(30 * DAY),
            fromRdvpermis: true,
            waived: false,
            waiverProposed: true,
            waiverProposedByMe: false,
          },
        ],
        nextPossibleAt: { B: iso(30 * DAY) },
      },
    ],
    unavailabilities: [
      {
        id: "un-1",
        subject: { kind: "trainer", id: "t-1" },
        startsAt: `${day(2)}T09:00`,
        endsAt: `${day(2)}T12:00`,
        rrule: "FREQ=WEEKLY;BYDAY=MO",
        timeZone: "Europe/Paris",
        imported: false,
      },
      {
        id: "un-2",
        subject: { kind: "trainer", id: "t-1" },
        startsAt: `${day(5)}T00:00`,
        endsAt: `${day(6)}T00:00`,
        rrule: null,
        timeZone: "Europe/Paris",
        imported: true,
      },
    ],
    results: [
      { month: month(-1), category: "B", kind: "CIRCULATION", passed: 7, failed: 3, absent: 1, awaited: 2 },
      { month: month(-2), category: "B", kind: "CIRCULATION", passed: 5, failed: 5, absent: 0, awaited: 0 },
      { month: month(-2), category: "A", kind: "PLATEAU", passed: 2, failed: 1, absent: 0, awaited: 0 },
    ],
  };
}

export function makeWorld(): World {
  const slots = makeSlots();
  const at = (index: number) => slots[index] ?? makeSlot(index, "2026-12-09", 512);
  const martin = { id: "k-1", displayName: "Léa Martin" };
  const diallo = { id: "k-2", displayName: "Awa Diallo" };
  const candidates = [
    makeCandidate("k-1", "Martin", "Léa"),
    makeCandidate("k-2", "Diallo", "Awa"),
    makeCandidate("k-3", "Nguyen", "Minh", [makeMandate("k-3", { state: "pending", expiresAt: null })]),
    makeCandidate("k-4", "Lefebvre-Desrousseaux", "Marie-Antoinette", [
      makeMandate("k-4", { state: "refused", rdvpermisCode: "CANDIDAT_SANS_DEMANDE_ACTIVE", expiresAt: null }),
    ]),
  ];
  const threshold: Threshold = {
    department: "94",
    month: todayInParis(Date.now()).slice(0, 7),
    category: "B",
    limit: 13,
    pacedLimit: 13,
    taken: 9,
    rdvpermisLimit: null,
    fte: 3,
    ratePerFte: 4.5,
    nextChangeAt: iso(5 * DAY),
    held: 2,
    elsewhere: 1,
    left: 4,
    leftToday: 4,
    ownLimit: 13,
    difference: null,
    replacementsLeft: 3,
    replacementsPerMonth: 5,
    warnPercent: 80,
    fteSource: "hours",
    fteAsOf: iso(-2 * DAY),
  };
  return {
    ...makeSchool(),
    signedIn: true,
    userId: "u-1",
    roles: ["school_admin", "school_manager"],
    ownSessions: [
      { id: "o-1", startedAt: iso(-DAY / 4), lastActAt: iso(), browser: "firefox", system: "linux", current: true },
      {
        id: "o-2",
        startedAt: iso(-DAY / 8),
        lastActAt: iso(-MINUTE),
        browser: "safari",
        system: "ios",
        current: false,
      },
      { id: "o-3", startedAt: iso(-DAY / 9), lastActAt: iso(-MINUTE), browser: null, system: null, current: false },
    ],
    ownGrant: {
      grant: null,
      ended: null,
      mayGive: true,
      uses: ["reconciliation", "results", "polls", "mandates"],
      serverTime: iso(),
    },
    background: {
      granted: false,
      employees: 0,
      endsAt: null,
      waits: ["reconciliation", "results", "polls", "mandates"],
      serverTime: iso(),
    },
    slots,
    days: makeDays(),
    candidates,
    basket: {
      serverTime: iso(),
      limits: { group: 4, basket: 12, holdTtlSeconds: 900 },
      groups: [
        {
          id: "g-1",
          createdAt: iso(-3 * MINUTE),
          expiresAt: iso(12 * MINUTE + 4000),
          lines: [
            makeLine("l-1", at(3), { candidate: martin }),
            makeLine("l-2", at(7), {}),
            makeLine("l-3", at(11), {
              state: "refused",
              reason: GONE,
            }),
            makeLine("l-4", at(15), { state: "asking" }),
          ],
        },
        {
          id: "g-2",
          createdAt: iso(-16 * MINUTE),
          expiresAt: iso(-MINUTE),
          lines: [makeLine("l-5", at(20), { state: "expired", candidate: diallo, since: iso(-MINUTE) })],
        },
      ],
    },
    bookings: {
      upcoming: [
        makeLine("b-1", at(30), { state: "booked", candidate: martin, examId: "e-1" }),
        makeLine("b-2", at(200), { state: "booked", candidate: diallo, examId: "e-2" }),
      ],
      to_confirm: [makeLine("b-3", at(40), { state: "confirming", candidate: diallo })],
      past: [
        makeLine("b-4", at(10), {
          state: "done",
          candidate: martin,
          examId: "e-4",
          foundElsewhere: true,
          result: { outcome: "passed", points: 27, foundAt: iso(-DAY) },
        }),
        makeLine("b-5", at(12), { state: "done", candidate: diallo, examId: "e-5" }),
      ],
    },
    thresholds: [
      threshold,
      {
        ...threshold,
        category: "A",
        limit: 4,
        pacedLimit: 3,
        taken: 3,
        held: 0,
        elsewhere: 0,
        left: 1,
        leftToday: 0,
        fte: 1.2,
        ownLimit: 5,
        rdvpermisLimit: 4,
        difference: -1,
        fteSource: "declared",
      },
    ],
    notices: [
      {
        id: "n-1",
        kind: "booking.confirmed",
        facts: {},
        occurredAt: iso(-3 * MINUTE),
        level: "success",
        text: {
          fr: "Réservé : mercredi 9 décembre 2026 à 8 h 32, Rungis.",
          en: "Booked: Wednesday 9 December 2026 at 8:32, Rungis.",
        },
        candidate: martin,
        objectId: "b-1",
        readAt: null,
      },
      {
        id: "n-2",
        kind: "threshold.near",
        facts: {},
        occurredAt: iso(-90 * MINUTE),
        level: "warning",
        text: { fr: "Plus de 80 % du seuil de décembre est pris.", en: "Over 80 % of December's threshold is taken." },
        candidate: null,
        objectId: null,
        readAt: iso(-80 * MINUTE),
      },
    ],
    records: ["booking.confirm", "basket.hold", "mandate.change", "candidate.create", "session.open"].map(
      (action, index) => ({
        id: `r-${index}`,
        occurredAt: iso(-index * 7 * MINUTE),
        action,
        service: "basket",
        outcome: "done",
        actor:
          index === 2 ? { kind: "rdvpermis", id: "rdvpermis", roles: [] } : { kind: "person", id: "u-1", roles: [] },
        facts: {},
        object: { kind: action.split(".")[0] ?? "", id: `o-${index}` },
        candidateId: null,
        correlationId: null,
        purpose: null,
        leafIndex: index === 0 ? null : 5 - index,
      }),
    ),
    securityRecords: [
      {
        id: "s-1",
        occurredAt: iso(-MINUTE),
        action: "access.denied",
        service: "mandate",
        outcome: "refused",
        actor: { kind: "system", id: "notification", roles: [] },
        facts: { reason: "principal_forged", count: "500" },
        object: { kind: "rpc", id: "mandate.v1.MandateService/ListMandates" },
        candidateId: null,
        correlationId: null,
        purpose: null,
        leafIndex: 3,
      },
    ],
  };
}
