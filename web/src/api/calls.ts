/**
 * Every question the pages ask, one function each. A name or a NEPH never stands in an address (web.md §2). Words of closed lists come
 * as text in the contract and are narrowed here, once (types.ts).
 */
import { act, ask, ours, rest } from "./client.ts";
import type * as api from "./types.ts";

export interface SlotFilter {
  department: string;
  category: string;
  /** Days, both included. */
  from: string;
  to: string;
  centres: string[];
}

/** Slots a page; the contract's most. */
const SLOTS = 500;

export const session = () => ask(() => rest.GET("/auth/session"), true);

export const signOut = () => ask(() => rest.POST("/auth/logout", { params: { header: ours() } }), true);

export const slots = (filter: SlotFilter, cursor: string | undefined, signal?: AbortSignal, lookNow = false) =>
  ask(() =>
    rest.GET("/api/v1/slots", {
      params: {
        query: {
          department: filter.department,
          category: filter.category,
          from: filter.from,
          to: filter.to,
          limit: SLOTS,
          ...(filter.centres.length > 0 ? { centre: filter.centres } : {}),
          ...(cursor ? { cursor } : {}),
          ...(lookNow ? { lookNow } : {}),
        },
      },
      ...(signal ? { signal } : {}),
    }),
  );

export const centres = (department: string, category: string) =>
  ask(() => rest.GET("/api/v1/centres", { params: { query: { department, category } } }));

export const basket = () => ask(() => rest.GET("/api/v1/basket")) as Promise<api.Basket>;

export const hold = (items: { slotId: string; candidateId?: string }[], together: boolean, key: string) =>
  ask(() =>
    rest.POST("/api/v1/basket/items", { params: { header: act(key) }, body: { items, together } }),
  ) as Promise<api.GroupOutcome>;

export const nameCandidate = (lineId: string, candidateId: string | null, key: string) =>
  ask(() =>
    rest.PUT("/api/v1/basket/items/{line_id}/candidate", {
      params: { header: act(key), path: { line_id: lineId } },
      body: { candidateId },
    }),
  );

export const release = (lineId: string, key: string) =>
  ask(() => rest.DELETE("/api/v1/basket/items/{line_id}", { params: { header: act(key), path: { line_id: lineId } } }));

export const validate = (groupId: string, key: string) =>
  ask(() =>
    rest.POST("/api/v1/basket/validation", { params: { header: act(key) }, body: { groupId } }),
  ) as Promise<api.GroupOutcome>;

export type BookingFilter = "upcoming" | "to_confirm" | "past";

export const bookings = (filter: BookingFilter, cursor: string | undefined) =>
  ask(() =>
    rest.GET("/api/v1/bookings", { params: { query: { filter, ...(cursor ? { cursor } : {}) } } }),
  ) as Promise<api.BookingPage>;

export type CancelReason = "candidate_ill" | "not_ready" | "school" | "other";

export const cancelBooking = (id: string, reason: CancelReason, key: string) =>
  ask(() =>
    rest.POST("/api/v1/bookings/{booking_id}/cancellation", {
      params: { header: act(key), path: { booking_id: id } },
      body: { reason },
    }),
  );

export const replaceCandidate = (id: string, candidateId: string, key: string) =>
  ask(() =>
    rest.POST("/api/v1/bookings/{booking_id}/replacement", {
      params: { header: act(key), path: { booking_id: id } },
      body: { candidateId },
    }),
  );

export const candidates = (cursor: string | undefined) =>
  ask(() =>
    rest.GET("/api/v1/candidates", { params: { query: cursor ? { cursor } : {} } }),
  ) as Promise<api.CandidatePage>;

export const candidate = (id: string) =>
  ask(() =>
    rest.GET("/api/v1/candidates/{candidate_id}", { params: { path: { candidate_id: id } } }),
  ) as Promise<api.Candidate>;

export const searchCandidates = (query: string, signal?: AbortSignal) =>
  ask(() =>
    rest.POST("/api/v1/candidates/search", {
      params: { header: ours() },
      body: { query },
      ...(signal ? { signal } : {}),
    }),
  ) as Promise<api.CandidatePage>;

export const createCandidate = (body: api.NewCandidate, key: string) =>
  ask(() => rest.POST("/api/v1/candidates", { params: { header: act(key) }, body })) as Promise<api.Candidate>;

export const requestMandate = (body: api.NewMandate, key: string) =>
  ask(() => rest.POST("/api/v1/mandates", { params: { header: act(key) }, body })) as Promise<api.Mandate>;

/** Reads a mandate again at RdvPermis now; spends one of the school's calls. */
export const refreshMandate = (id: string) =>
  ask(() =>
    rest.POST("/api/v1/mandates/{mandate_id}/refresh", { params: { header: ours(), path: { mandate_id: id } } }),
  );

export const revokeMandate = (id: string, key: string) =>
  ask(() =>
    rest.POST("/api/v1/mandates/{mandate_id}/revocation", {
      params: { header: act(key), path: { mandate_id: id } },
    }),
  );

export const thresholds = () => ask(() => rest.GET("/api/v1/thresholds"));

export const notices = (cursor: string | undefined) =>
  ask(() =>
    rest.GET("/api/v1/notifications", { params: { query: cursor ? { cursor } : {} } }),
  ) as Promise<api.NoticePage>;

/** How many wait, without reading whom they are about: each name shown is a read of personal data, recorded as such. */
export const unread = () =>
  ask(() => rest.GET("/api/v1/notifications", { params: { query: { limit: 1 } } })).then((page) => page.unread);

export const markRead = (id: string) =>
  ask(() =>
    rest.POST("/api/v1/notifications/{notice_id}/read", { params: { header: ours(), path: { notice_id: id } } }),
  );

export const auditRecords = (
  { objectId, action }: { objectId?: string; action?: string },
  cursor: string | undefined,
) =>
  ask(() =>
    rest.GET("/api/v1/audit/records", {
      params: {
        query: { ...(objectId ? { objectId } : {}), ...(action ? { action } : {}), ...(cursor ? { cursor } : {}) },
      },
    }),
  );

/** The note with its key: the contract gives the bare note only where text/plain is asked. */
export const checkpoint = () =>
  ask(() => rest.GET("/api/v1/audit/checkpoint")) as Promise<{ note: string; verifierKey: string }>;

export const inclusionProof = (id: string) =>
  ask(() => rest.GET("/api/v1/audit/records/{record_id}/proof", { params: { path: { record_id: id } } }));
