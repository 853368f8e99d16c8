/**
 * The shapes the pages work with: those of the contract (schema.d.ts, generated from openapi.json), with words of closed lists
 * written out, so that the compiler requires a sentence for each.
 */
import type { components } from "./schema.d.ts";

type Schemas = components["schemas"];
type Narrow<T, N> = Omit<T, keyof N> & N;

export type Session = Schemas["SessionView"];
/** Of a school's employee. */
export type SchoolSession = Narrow<Session, { school: NonNullable<Session["school"]> }>;
/** Somebody who is not an RdvPermis employee. */
export type Person = Schemas["PersonView"];
export type PersonInvitation = Schemas["PersonInvitation"];
export type PersonRole = PersonInvitation["role"];
export type OwnSession = Schemas["OwnSessionView"];
export type OwnSessionPage = Schemas["OwnSessionPage"];
/** One's own grant for background work; `ended`: the last one, while there is none. */
export type OwnGrant = Schemas["GrantPage"];
export type GrantStart = Schemas["GrantStartView"];
export type GrantEnd = NonNullable<OwnGrant["ended"]>;
/** Whether the school has a grant, and what waits without one whenever nobody is signed in. */
export type BackgroundWork = Schemas["BackgroundWorkView"];
export type BackgroundTask = BackgroundWork["waits"][number];
export type Verdict = Schemas["VerdictView"];
export type Centre = Schemas["CentreView"];
export type Threshold = Schemas["ThresholdView"];
export type CandidateName = Schemas["CandidateNameView"];
export type NewCandidate = Schemas["NewCandidate"];
export type CandidateCorrection = Schemas["CandidateCorrection"];
export type NewMandate = Schemas["NewMandate"];
export type AuditRecord = Schemas["RecordView"];
export type InclusionClaim = Schemas["ProofView"];

/** A refusal, of a line or of a whole request: what sentences are made from. */
export type Reason = Pick<Schemas["ReasonView"], "code"> & Partial<Omit<Schemas["ReasonView"], "code" | "detail">>;

/** `startsAt` and `endsAt` are local to the centre: "2026-12-09T08:32". `status`: free, ours, taken, threshold_reached, withdrawn, other. */
export type BareSlot = Schemas["SlotView"];
/** Distance as the crow flies and estimated drive, from the school; absent where either place is not known. */
export type Slot = Schemas["JudgedSlotView"];
export type SlotPage = Schemas["SlotPage"];
/** A day of a search: how old it is, and how many calls reading it again costs. */
export type PolledDay = Schemas["PolledDayView"];

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

export type Line = Narrow<Schemas["LineView"], { state: LineState }>;
export type Group = Narrow<Schemas["GroupView"], { lines: Line[] }>;
export type Basket = Narrow<Schemas["BasketView"], { groups: Group[] }>;
export type ItemResult = Narrow<Schemas["ItemResultView"], { state: LineState }>;
export type GroupOutcome = Narrow<Schemas["GroupOutcomeView"], { group: Group; results: ItemResult[] }>;
export type Booking = Line;
export type BookingPage = Narrow<Schemas["BookingPage"], { items: Booking[] }>;
/** What RdvPermis still lets be replaced, of exams of one month and licence. */
export type Replacements = Schemas["MonthlyReplacementsView"];

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

/** A rule that refuses a hold, and what to do about it; `opensAt` where time alone ends it. */
export type Need = Schemas["NeedView"];
export type Explanation = Schemas["CheckView"];
/** What is settled before an opening; it holds nothing. */
export type Preparation = Schemas["PreparationView"];

export type FavouriteCentre = Schemas["FavouriteView"];
export type FavouritePage = Schemas["FavouritesView"];
/** The filters of a saved search; days and pages are not kept. */
export type SavedQuestion = Schemas["Search"];
export type SavedSearch = Narrow<Schemas["SavedSearchView"], { search: SavedQuestion }>;

export type CancellationPreview = Schemas["CancellationView"];
export type ResultCount = Schemas["ResultCountView"];
export type Parameter = Schemas["ParameterView"];

/** Days are the department's own, "2026-12-09"; last days are included. */
export type School = Schemas["SchoolProfileView"];
/** `displayName` is RdvPermis' own, read for showing; "…3f9a" where it could not be read. */
export type Trainer = Schemas["TrainerView"];
export type TrainerPage = Schemas["TrainerPage"];
export type Gearbox = "manual" | "automatic";
export type Vehicle = Narrow<Schemas["VehicleView"], { gearbox: Gearbox }>;
/** Of three kinds: practical, accompanied, theory. */
export type Hours = Narrow<Schemas["HoursView"], { kind: HoursKind }>;
export type DeclaredHours = Schemas["DeclaredHours"];
export type HoursKind = DeclaredHours["kind"];
export type Fte = Schemas["FteView"];
export type HoursPage = Narrow<Schemas["HoursPage"], { items: Hours[] }>;

export type Restriction = Schemas["StandingRestrictionView"];
export type Standing = Schemas["StandingView"];
export type WaiverReason = Schemas["Waiver"]["reason"];

/** The school itself has no id. */
export type Subject = Schemas["Subject"];
/** An occurrence on the clock of `timeZone`, "2026-12-09T08:32"; those of one recurrence share their id. */
export type Unavailability = Schemas["UnavailabilityView"];
export type NewUnavailability = Schemas["NewUnavailability"];
export type ImportReport = Schemas["ImportView"];
export type LostEvent = Schemas["LostEventView"];
