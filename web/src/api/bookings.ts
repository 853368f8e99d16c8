/** Bookings, what can be done about them, and what became of them. */
import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { keys } from "./contract/cache.ts";
import { act, ask, rest } from "./contract/client.ts";
import type * as api from "./contract/types.ts";

export type BookingFilter = "upcoming" | "to_confirm" | "past";

export const bookings = (filter: BookingFilter, cursor: string | undefined, candidate?: string) =>
  ask(() =>
    rest.GET("/api/v1/bookings", {
      params: { query: { filter, ...(candidate ? { candidate } : {}), ...(cursor ? { cursor } : {}) } },
    }),
  ) as Promise<api.BookingPage>;

export type CancelReason = "candidate_ill" | "not_ready" | "school" | "other";

export const cancelBooking = (id: string, reason: CancelReason, key: string) =>
  ask(() =>
    rest.POST("/api/v1/bookings/{booking_id}/cancellation", {
      params: { header: act(key), path: { booking_id: id } },
      body: { reason },
    }),
  ) as Promise<api.Booking>;

export const replaceCandidate = (id: string, candidateId: string, key: string) =>
  ask(() =>
    rest.POST("/api/v1/bookings/{booking_id}/replacement", {
      params: { header: act(key), path: { booking_id: id } },
      body: { candidateId },
    }),
  ) as Promise<api.Booking>;

/** Bookings that RdvPermis allows to be swapped with this one, on `date` ("2026-12-09"). */
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

/** What cancelling would cost, by today's parameters. A read: nothing is cancelled. */
export const previewCancellation = (id: string) =>
  ask(() =>
    rest.GET("/api/v1/bookings/{booking_id}/cancellation", { params: { path: { booking_id: id } } }),
  ) as Promise<api.CancellationPreview>;

export const results = (fromMonth: string, toMonth: string) =>
  ask(() => rest.GET("/api/v1/bookings/results", { params: { query: { from: fromMonth, to: toMonth } } })) as Promise<{
    items: api.ResultCount[];
  }>;

export const bookingsQuery = (filter: BookingFilter) =>
  infiniteQueryOptions({
    queryKey: [...keys.bookings, filter],
    queryFn: ({ pageParam }) => bookings(filter, pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.nextCursor ?? undefined,
  });

/** One candidate's coming exams: one of a licence at most, so one page has them. */
export const bookingsOfQuery = (candidateId: string) =>
  queryOptions({
    queryKey: [...keys.bookings, "of", candidateId],
    queryFn: () => bookings("upcoming", undefined, candidateId),
  });

/** Not among the bookings that events make old, nor tried or read again by itself: each read spends a call of the school. */
export const swappableQuery = (id: string, date: string) =>
  queryOptions({
    queryKey: [...keys.swappable, id, date],
    queryFn: () => swappable(id, date),
    staleTime: 30_000,
    gcTime: 30_000,
    retry: false,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
  });

export const resultsQuery = (fromMonth: string, toMonth: string) =>
  queryOptions({
    queryKey: [...keys.results, fromMonth, toMonth],
    queryFn: () => results(fromMonth, toMonth),
  });
