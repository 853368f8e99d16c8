/**
 * The shapes the pages work with: those of the contract (schema.d.ts, generated from openapi.json), with words of closed lists
 * written out, so that the compiler asks for a sentence for each.
 */
import type { components } from "./schema.d.ts";

type Schemas = components["schemas"];
type Narrow<T, N> = Omit<T, keyof N> & N;

export type Session = Schemas["SessionView"];
export type Verdict = Schemas["VerdictView"];
export type Centre = Schemas["CentreView"] & { distanceKm?: number | null; travelMinutes?: number | null };
export type Threshold = Schemas["ThresholdView"] & {
  held?: number;
  elsewhere?: number;
  left?: number;
  leftToday?: number;
  ownLimit?: number | null;
  difference?: number | null;
  replacementsLeft?: number | null;
  replacementsPerMonth?: number | null;
  warnPercent?: number;
  fteSource?: string;
  fteAsOf?: string | null;
};
export type CandidateName = Schemas["CandidateNameView"];
export type NewCandidate = Schemas["NewCandidate"];
export type NewMandate = Schemas["NewMandate"];
export type AuditRecord = Schemas["RecordView"];
export type InclusionClaim = Schemas["ProofView"];

/** A refusal, of a line or of a whole question: what sentences are made from. */
export type Reason = Pick<Schemas["ReasonView"], "code"> & Partial<Omit<Schemas["ReasonView"], "code" | "detail">>;

/** `startsAt` and `endsAt` are local to the centre: "2026-12-09T08:32". `status`: free, ours, taken, threshold_reached, withdrawn, other. */
export type BareSlot = Schemas["SlotView"];
/** Distance as the crow flies and estimated drive, from the school; absent where either place is not known. */
export type Slot = Schemas["JudgedSlotView"] & { distanceKm?: number | null; travelMinutes?: number | null };
export type SlotPage = Narrow<Schemas["SlotPage"], { items: Slot[] }>;

export type LineState =
  | "asking"
  | "held"
  | "refused"
  | "expired"
  | "released"
  | "withdrawn"
  | "confirming"
  | "rejected"
  | "booked"
  | "cancelled"
  | "replaced"
  | "swapped"
  | "done";

export type Line = Narrow<Schemas["LineView"], { state: LineState }> & {
  trainerId?: string | null;
  vehicleId?: string | null;
  foundElsewhere?: boolean;
  result?: { outcome: "passed" | "failed" | "absent"; points: number | null; foundAt: string | null } | null;
};
export type Group = Narrow<Schemas["GroupView"], { lines: Line[] }>;
export type Basket = Narrow<Schemas["BasketView"], { groups: Group[] }>;
export type ItemResult = Narrow<Schemas["ItemResultView"], { state: LineState }>;
export type GroupOutcome = Narrow<Schemas["GroupOutcomeView"], { group: Group; results: ItemResult[] }>;
export type Booking = Line;
export type BookingPage = Narrow<Schemas["BookingPage"], { items: Booking[] }>;

export type MandateState =
  | "draft"
  | "pending"
  | "active"
  | "refused"
  | "cancelled"
  | "revoked"
  | "expired"
  | "superseded";

export type Mandate = Narrow<Schemas["MandateView"], { state: MandateState }>;
export type Candidate = Narrow<Schemas["CandidateView"], { mandates: Mandate[] }>;
export type CandidatePage = Narrow<Schemas["CandidatePage"], { items: Candidate[] }>;

export type Notice = Narrow<Schemas["NoticeView"], { level: "info" | "success" | "warning" | "danger" }>;
export type NoticePage = Narrow<Schemas["NoticePage"], { items: Notice[] }>;

/** One thing that stands against a hold, and what to do about it; `opensAt` where time alone ends it. */
export interface Need {
  rule: string;
  source: string;
  /** The gateway's own sentences, for a rule or a remedy that this page does not know. */
  detail: string | null;
  action: string | null;
  remedy: string | null;
  facts: Record<string, string>;
  opensAt: string | null;
}

export interface LineExplanation {
  slotId: string;
  allowed: boolean;
  opensAt: string | null;
  needs: Need[];
}

export interface Explanation {
  allowed: boolean;
  lines: LineExplanation[];
  actionNeeds: Need[];
  serverTime: string;
}

/** What is settled before an opening; it holds nothing. */
export interface Preparation {
  basketExpiresAt: string | null;
  basketProblem: Reason | null;
  candidates: { candidate: CandidateName; ready: boolean; needs: Need[]; rdvpermisAsked: boolean }[];
  callsLeft: number;
  waitUntil: string | null;
  rdvpermisReachable: boolean;
  tokenFresh: boolean;
  preparedAt: string | null;
  serverTime: string;
}

export interface FavouriteCentre {
  category: string;
  centreId: string;
  priority: number;
  centreName: string | null;
  department: string | null;
}

export interface FavouritePage {
  items: FavouriteCentre[];
  seenAt: string | null;
}

/** What a saved search asks; days and pages are not kept. */
export interface SavedQuestion {
  department?: string | null;
  category: string;
  centres?: string[];
  withinKm?: number | null;
  /** "08:00", at the centre. */
  dayFrom?: string | null;
  dayTo?: string | null;
  inARow?: number;
  openNow?: boolean;
  kind?: "CIRCULATION" | "PLATEAU" | null;
  weekdays?: number[];
}

export interface SavedSearch {
  id: string;
  label: string;
  search: SavedQuestion;
  createdAt: string | null;
  matchedAt: string | null;
  alert: boolean;
}

export interface CancellationPreview {
  possible: boolean;
  late: boolean;
  barredDays: number;
  barredUntil: string | null;
  freeUntil: string | null;
}

export interface ResultCount {
  month: string;
  category: string;
  kind: string;
  passed: number;
  failed: number;
  absent: number;
  awaited: number;
}

export interface Parameter {
  name: string;
  value: string;
  department: string | null;
  category: string | null;
  validFrom: string | null;
  state: "in_force" | "to_come" | "awaiting_approval";
}

/** Days are the department's own, "2026-12-09"; last days are included. */
export interface School {
  id: string;
  name: string;
  licenceNumber: string | null;
  department: string | null;
  licensedUntil: string | null;
  declaredFte: number | null;
  seenAt: string | null;
}

/** `displayName` is RdvPermis' own, read for showing; "…3f9a" where it could not be read. */
export interface Trainer {
  id: string;
  displayName: string;
  department: string;
  categories: string[];
  activeFrom: string | null;
  activeUntil: string | null;
  authorisedUntil: string | null;
  mayAccompany: boolean;
}

export interface TrainerPage {
  items: Trainer[];
  /** Employees at RdvPermis who are not trainers here yet. */
  others: { id: string; displayName: string }[];
  namesMissing: boolean;
}

export interface Vehicle {
  id: string;
  label: string;
  categories: string[];
  gearbox: "manual" | "automatic";
  retired: boolean;
}

export type HoursKind = "practical" | "accompanied" | "theory";

export interface Hours {
  trainerId: string;
  month: string;
  category: string;
  kind: HoursKind;
  hours: number;
}

export interface Fte {
  department: string;
  category: string;
  fte: number;
  firstMonth: string;
  lastMonth: string;
  computedAt: string | null;
}

export interface HoursPage {
  items: Hours[];
  fte: Fte[];
  nextAt: string | null;
}

export interface Bar {
  id: string;
  category: string;
  reason: string;
  /** The reason in words. */
  detail: string;
  since: string | null;
  until: string | null;
  fromRdvpermis: boolean;
  lifted: boolean;
  liftProposed: boolean;
  liftProposedByMe: boolean;
}

export interface Standing {
  candidateId: string;
  bars: Bar[];
  nextPossibleAt: Record<string, string>;
}

export type LiftReason = "illness" | "accident" | "bereavement" | "centre_closed" | "other_force_majeure";

export type SubjectKind = "candidate" | "trainer" | "vehicle" | "school";

/** The school itself has no id. */
export interface Subject {
  kind: SubjectKind;
  id: string | null;
}

/** An occurrence on the clock of `timeZone`, "2026-12-09T08:32"; those of one recurrence share their id. */
export interface Unavailability {
  id: string;
  subject: Subject;
  startsAt: string;
  endsAt: string;
  rrule: string | null;
  timeZone: string;
  imported: boolean;
}

export interface NewUnavailability {
  subject: Subject;
  startsAt: string;
  endsAt: string;
  rrule?: string;
}

export interface ImportReport {
  kept: number;
  leftOut: Record<string, number>;
}
