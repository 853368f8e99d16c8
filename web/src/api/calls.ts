/**
 * Every question the pages ask, one function each. A name or a NEPH never stands in an address (web.md §2). Words of closed lists come
 * as text in the contract and are narrowed here, once (types.ts).
 */
import { act, ask, ours, rest } from "./client.ts";
import type * as api from "./types.ts";

export interface SlotFilter {
  /** Empty where `withinKm` says where. */
  department: string;
  category: string;
  /** Days, both included. */
  from: string;
  to: string;
  centres: string[];
  /** Centres at most so far from the school, across departments. */
  withinKm?: number | undefined;
  /** Time of day at the centre, "08:00": from (included) to (excluded). */
  dayFrom?: string | undefined;
  dayTo?: string | undefined;
  /** Open slots one after the other at one centre. */
  inARow?: number | undefined;
  openNow?: boolean | undefined;
  /** An instant: only what is open, or opens by itself before it. */
  opensBefore?: string | undefined;
  kind?: "CIRCULATION" | "PLATEAU" | undefined;
  /** Monday 1 … Sunday 7; none: all. */
  weekdays?: readonly number[] | undefined;
}

/** Slots a page; the contract's most. */
const SLOTS = 500;

export const session = () => ask(() => rest.GET("/auth/session"), true);

export const signOut = () => ask(() => rest.POST("/auth/logout", { params: { header: ours() } }), true);

/** What of a search is not its days: an absent word asks nothing. */
function narrowed(filter: SlotFilter) {
  const { withinKm, dayFrom, dayTo, inARow, openNow, opensBefore, kind, weekdays } = filter;
  return {
    ...(filter.department ? { department: filter.department } : {}),
    category: filter.category,
    ...(filter.centres.length > 0 ? { centre: filter.centres } : {}),
    ...(withinKm ? { withinKm } : {}),
    ...(dayFrom ? { dayFrom } : {}),
    ...(dayTo ? { dayTo } : {}),
    ...(inARow && inARow > 1 ? { inARow } : {}),
    ...(openNow ? { openNow } : {}),
    ...(opensBefore ? { opensBefore } : {}),
    ...(kind ? { kind } : {}),
    ...(weekdays && weekdays.length > 0 ? { weekdays: [...weekdays] } : {}),
  };
}

export const slots = (filter: SlotFilter, cursor: string | undefined, signal?: AbortSignal, pollNow = false) =>
  ask(() =>
    rest.GET("/api/v1/slots", {
      params: {
        query: {
          ...narrowed(filter),
          from: filter.from,
          to: filter.to,
          limit: SLOTS,
          ...(cursor ? { cursor } : {}),
          ...(pollNow ? { pollNow } : {}),
        },
      },
      ...(signal ? { signal } : {}),
    }),
  ) as Promise<api.SlotPage>;

export const centres = (department: string, category: string) =>
  ask(() => rest.GET("/api/v1/centres", { params: { query: { department, category } } })) as Promise<{
    items: api.Centre[];
  }>;

export const basket = () => ask(() => rest.GET("/api/v1/basket")) as Promise<api.Basket>;

export interface HoldItem {
  slotId: string;
  candidateId?: string;
  trainerId?: string;
  vehicleId?: string;
}

export const hold = (items: HoldItem[], allOrNothing: boolean, key: string) =>
  ask(() =>
    rest.POST("/api/v1/basket/items", { params: { header: act(key) }, body: { items, allOrNothing } }),
  ) as Promise<api.GroupOutcome>;

/** Would a hold of these be allowed now? Reasons, remedies, when it opens. Holds nothing. */
export const checkHold = (items: HoldItem[], signal?: AbortSignal) =>
  ask(() =>
    rest.POST("/api/v1/basket/check", { params: { header: ours() }, body: { items }, ...(signal ? { signal } : {}) }),
  ) as Promise<api.Explanation>;

/** Settles before an opening what can be: token, basket, budget, each candidate. Holds nothing. */
export const prepareOpening = (body: {
  category: string;
  department: string;
  candidateIds: string[];
  slotId?: string;
}) =>
  ask(() => rest.POST("/api/v1/basket/preparation", { params: { header: ours() }, body })) as Promise<api.Preparation>;

/** Who accompanies, in what; null: nobody said. Ours alone, RdvPermis is not asked. */
export const accompanyLine = (
  lineId: string,
  body: { trainerId: string | null; vehicleId: string | null },
  key: string,
) =>
  ask(() =>
    rest.PUT("/api/v1/basket/items/{line_id}/accompaniment", {
      params: { header: act(key), path: { line_id: lineId } },
      body,
    }),
  ) as Promise<api.Line>;

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

/** Bookings that RdvPermis lets change places with this one, on a day; the booking's own day if none is said. */
export const swappable = (id: string, date: string) =>
  ask(() =>
    rest.GET("/api/v1/bookings/{booking_id}/swappable", { params: { path: { booking_id: id }, query: { date } } }),
  ) as Promise<{ items: api.Booking[] }>;

export const swapBookings = (id: string, otherBookingId: string, key: string) =>
  ask(() =>
    rest.POST("/api/v1/bookings/{booking_id}/swap", {
      params: { header: act(key), path: { booking_id: id } },
      body: { otherBookingId },
    }),
  ) as Promise<{ items: api.Booking[] }>;

/** What cancelling would cost, by today's parameters. Asks, does nothing. */
export const previewCancellation = (id: string) =>
  ask(() =>
    rest.GET("/api/v1/bookings/{booking_id}/cancellation", { params: { path: { booking_id: id } } }),
  ) as Promise<api.CancellationPreview>;

export const results = (fromMonth: string, toMonth: string) =>
  ask(() => rest.GET("/api/v1/bookings/results", { params: { query: { from: fromMonth, to: toMonth } } })) as Promise<{
    items: api.ResultCount[];
  }>;

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

export const thresholds = () => ask(() => rest.GET("/api/v1/thresholds")) as Promise<{ items: api.Threshold[] }>;

export const parameters = () => ask(() => rest.GET("/api/v1/rules/parameters")) as Promise<{ items: api.Parameter[] }>;

export const favouriteCentres = () => ask(() => rest.GET("/api/v1/favourite-centres")) as Promise<api.FavouritePage>;

/** The whole list of a licence group; RdvPermis' own is changed with it. The answer is that group's. */
export const setFavouriteCentres = (category: string, favourites: { centreId: string; priority: number }[]) =>
  ask(() =>
    rest.PUT("/api/v1/favourite-centres", { params: { header: ours() }, body: { category, favourites } }),
  ) as Promise<api.FavouritePage>;

export const savedSearches = () =>
  ask(() => rest.GET("/api/v1/saved-searches")) as Promise<{ items: api.SavedSearch[] }>;

export const saveSearch = (body: { label: string; search: api.SavedQuestion; alert: boolean }, key: string) =>
  ask(() => rest.POST("/api/v1/saved-searches", { params: { header: act(key) }, body })) as Promise<api.SavedSearch>;

export const deleteSavedSearch = (id: string) =>
  ask(() => rest.DELETE("/api/v1/saved-searches/{search_id}", { params: { header: ours(), path: { search_id: id } } }));

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
