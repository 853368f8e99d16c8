/** The shapes the pages work with: the REST contract, in one place. */

export interface Session {
  user: { id: string; displayName: string };
  school: { id: string; name: string; department: string };
  roles: string[];
  csrfToken: string;
  /** Instant at which the session ends unless used. */
  expiresAt: string;
}

export interface Verdict {
  rule: string;
  allowed: boolean;
  /** What the rule looked at, as text; never personal data. */
  facts: Record<string, string>;
  source: string;
  opensAt?: string | null;
  remedy?: string | null;
}

export interface Centre {
  id: string;
  name: string;
}

export interface BareSlot {
  id: string;
  centre: Centre;
  /** Local to the centre: "2026-12-09T08:32". */
  startsAt: string;
  endsAt: string;
  category: string;
  kind: string;
}

export interface Slot extends BareSlot {
  /** free, ours, taken, threshold_reached, withdrawn, other. */
  status: string;
  /** Instant of the last look at RdvPermis. */
  seenAt?: string | null;
  verdicts: Verdict[];
  allowed: boolean;
  opensAt?: string | null;
}

export interface SlotPage {
  items: Slot[];
  nextCursor?: string | null;
  /** Oldest look this answer rests on. */
  seenAt?: string | null;
  serverTime: string;
  threshold?: Threshold | null;
  /** Part of the window was not looked at; why: budget, rdvpermis_down, reconnect. */
  incomplete?: boolean;
  incompleteReason?: string | null;
}

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

export interface Reason {
  code: string;
  detail?: string | null;
  verdicts?: Verdict[];
  retryAt?: string | null;
  rdvpermisCode?: string | null;
  errorId?: string | null;
}

export interface CandidateName {
  id: string;
  displayName: string;
}

export interface Line {
  id: string;
  slot: BareSlot;
  candidate: CandidateName | null;
  state: LineState;
  since: string | null;
  reason?: Reason | null;
  /** A change was asked and its outcome is not known yet. */
  changing?: boolean;
  examId?: string | null;
}

export interface Group {
  id: string;
  expiresAt?: string | null;
  lines: Line[];
}

export interface Basket {
  groups: Group[];
  serverTime: string;
  limits: { group: number; basket: number };
}

export interface ItemResult {
  lineId: string;
  slotId: string;
  state: LineState;
  problem?: Reason | null;
}

/** The answer to a hold or a validation, line by line. */
export interface GroupOutcome {
  group: Group;
  results: ItemResult[];
}

export type Booking = Line;

export interface BookingPage {
  items: Booking[];
  nextCursor?: string | null;
  replacements?: { left: number; perMonth: number } | null;
}

export type MandateState =
  | "draft"
  | "pending"
  | "active"
  | "refused"
  | "cancelled"
  | "revoked"
  | "expired"
  | "superseded";

export interface Mandate {
  id: string;
  candidateId: string;
  category: string;
  gearbox?: string | null;
  state: MandateState;
  since: string | null;
  expiresAt?: string | null;
  seenAt?: string | null;
  /** RdvPermis' refusal, verbatim, in state refused. */
  rdvpermisCode?: string | null;
}

export interface Candidate {
  id: string;
  lastName: string;
  firstName: string;
  neph: string;
  email?: string | null;
  mandates: Mandate[];
  nephUnusual?: boolean;
}

export interface Page<T> {
  items: T[];
  nextCursor?: string | null;
}

export interface NewCandidate {
  lastName: string;
  firstName: string;
  neph: string;
  email?: string;
}

export interface Threshold {
  department: string;
  /** "2026-12" */
  month: string;
  category: string;
  limit: number;
  pacedLimit: number;
  taken: number;
  rdvpermisLimit?: number | null;
  fte: number;
  ratePerFte: number;
  nextChangeAt?: string | null;
}

export interface Notice {
  id: string;
  kind: string;
  occurredAt: string | null;
  level: "info" | "success" | "warning" | "danger";
  text: { fr: string; en: string };
  candidate?: CandidateName | null;
  objectId?: string | null;
  readAt?: string | null;
}

export interface NoticePage extends Page<Notice> {
  unread: number;
}

export interface AuditRecord {
  id: string;
  occurredAt: string | null;
  service: string;
  /** "basket.hold", "candidate.read". */
  action: string;
  /** done, refused, failed, unknown. */
  outcome: string;
  /** person, system or rdvpermis. */
  actor: { kind: string; id: string; roles: string[] };
  object?: { kind: string; id: string } | null;
  facts: Record<string, string>;
  /** Null until the journal's tree has it. */
  leafIndex?: number | null;
}
