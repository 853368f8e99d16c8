/** The slots that the mirror shows, and their centres. */
import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { keys } from "./contract/cache.ts";
import { ask, rest } from "./contract/client.ts";
import type * as api from "./contract/types.ts";

export interface SlotFilter {
  /** Empty where `withinKm` is given. */
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
  /** At least this many consecutive open slots at one centre. */
  consecutive?: number | undefined;
  openNow?: boolean | undefined;
  /** An instant: only what is open, or opens by itself before it. */
  opensBefore?: string | undefined;
  kind?: "CIRCULATION" | "PLATEAU" | undefined;
  /** Monday 1 … Sunday 7; none: all. */
  weekdays?: readonly number[] | undefined;
}

/** Slots a page, the contract's maximum. */
const SLOTS = 500;

/** The query of a search without its days: an absent filter is left out. */
function narrowed(filter: SlotFilter) {
  const { withinKm, dayFrom, dayTo, consecutive, openNow, opensBefore, kind, weekdays } = filter;
  return {
    ...(filter.department ? { department: filter.department } : {}),
    category: filter.category,
    ...(filter.centres.length > 0 ? { centre: filter.centres } : {}),
    ...(withinKm ? { withinKm } : {}),
    ...(dayFrom ? { dayFrom } : {}),
    ...(dayTo ? { dayTo } : {}),
    ...(consecutive && consecutive > 1 ? { consecutive } : {}),
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

export const slotsQuery = (filter: SlotFilter) =>
  infiniteQueryOptions({
    queryKey: [...keys.slots, filter],
    queryFn: ({ pageParam, signal }) => slots(filter, pageParam, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.nextCursor ?? undefined,
    refetchInterval: 30_000,
  });

export const centresQuery = (department: string, category: string) =>
  queryOptions({
    queryKey: ["centres", department, category],
    queryFn: () => centres(department, category),
    staleTime: 60 * 60_000,
  });
