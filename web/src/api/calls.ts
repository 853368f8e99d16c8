/** Every question the pages ask, one function each. A name or a NEPH never stands in an address (web.md §2). */
import { send } from "./client.ts";
import type * as api from "./types.ts";

const v1 = "/api/v1";

export interface SlotFilter {
  department: string;
  category: string;
  /** Days, both included. */
  from: string;
  to: string;
  centres: string[];
}

export const session = () => send<api.Session>("GET", "/auth/session", { quiet: true });

export const signOut = () => send<{ redirect?: string | null } | undefined>("POST", "/auth/logout");

export const slots = (filter: SlotFilter, cursor: string | undefined, signal?: AbortSignal, lookNow = false) =>
  send<api.SlotPage>("GET", `${v1}/slots`, {
    query: {
      department: filter.department,
      category: filter.category,
      from: filter.from,
      to: filter.to,
      centre: filter.centres,
      cursor,
      limit: "500",
      lookNow: lookNow ? "true" : undefined,
    },
    ...(signal ? { signal } : {}),
  });

export const centres = (department: string, category: string) =>
  send<api.Page<api.Centre>>("GET", `${v1}/centres`, { query: { department, category } });

export const basket = () => send<api.Basket>("GET", `${v1}/basket`);

export const hold = (items: { slotId: string; candidateId?: string }[], together: boolean, idempotencyKey: string) =>
  send<api.GroupOutcome>("POST", `${v1}/basket/items`, { body: { items, together }, idempotencyKey });

export const nameCandidate = (lineId: string, candidateId: string | null, idempotencyKey: string) =>
  send<unknown>("PUT", `${v1}/basket/items/${lineId}/candidate`, { body: { candidateId }, idempotencyKey });

export const release = (lineId: string, idempotencyKey: string) =>
  send<unknown>("DELETE", `${v1}/basket/items/${lineId}`, { idempotencyKey });

export const validate = (groupId: string, idempotencyKey: string) =>
  send<api.GroupOutcome>("POST", `${v1}/basket/validation`, { body: { groupId }, idempotencyKey });

export type BookingFilter = "upcoming" | "to_confirm" | "past";

export const bookings = (filter: BookingFilter, cursor: string | undefined) =>
  send<api.BookingPage>("GET", `${v1}/bookings`, { query: { filter, cursor } });

export const cancelBooking = (id: string, reason: string, idempotencyKey: string) =>
  send<unknown>("POST", `${v1}/bookings/${id}/cancellation`, { body: { reason }, idempotencyKey });

export const replaceCandidate = (id: string, candidateId: string, idempotencyKey: string) =>
  send<unknown>("POST", `${v1}/bookings/${id}/replacement`, { body: { candidateId }, idempotencyKey });

export const candidates = (cursor: string | undefined) =>
  send<api.Page<api.Candidate>>("GET", `${v1}/candidates`, { query: { cursor } });

export const candidate = (id: string) => send<api.Candidate>("GET", `${v1}/candidates/${id}`);

export const searchCandidates = (query: string, signal?: AbortSignal) =>
  send<api.Page<api.Candidate>>("POST", `${v1}/candidates/search`, { body: { query }, ...(signal ? { signal } : {}) });

export const createCandidate = (body: api.NewCandidate, idempotencyKey: string) =>
  send<api.Candidate>("POST", `${v1}/candidates`, { body, idempotencyKey });

export const requestMandate = (
  body: { candidateId: string; category: string; gearbox?: "manual" | "automatic" },
  idempotencyKey: string,
) => send<api.Mandate>("POST", `${v1}/mandates`, { body, idempotencyKey });

/** Reads a mandate again at RdvPermis now; spends one of the school's calls. */
export const refreshMandate = (id: string) => send<api.Mandate>("POST", `${v1}/mandates/${id}/refresh`);

export const revokeMandate = (id: string, idempotencyKey: string) =>
  send<unknown>("POST", `${v1}/mandates/${id}/revocation`, { idempotencyKey });

export const thresholds = () => send<api.Page<api.Threshold>>("GET", `${v1}/thresholds`);

export const notices = (cursor: string | undefined) =>
  send<api.NoticePage>("GET", `${v1}/notifications`, { query: { cursor } });

export const markRead = (id: string) => send<unknown>("POST", `${v1}/notifications/${id}/read`);

export const auditRecords = (objectId: string | undefined, cursor: string | undefined) =>
  send<api.Page<api.AuditRecord>>("GET", `${v1}/audit/records`, { query: { cursor, objectId } });

export const checkpoint = () => send<{ note: string; verifierKey: string }>("GET", `${v1}/audit/checkpoint`);

export const inclusionProof = (id: string) =>
  send<import("../audit/merkle.ts").InclusionClaim>("GET", `${v1}/audit/records/${id}/proof`);
