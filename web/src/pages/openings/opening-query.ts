/**
 * What the opening room reads: the mirror's slots, closely around the hour. What is stale there is polled again on the school's
 * calls, so the reading is slow until the hour is near.
 */

import { queryOptions } from "@tanstack/react-query";
import { keys } from "../../api/contract/cache.ts";
import type { Preparation } from "../../api/contract/types.ts";
import { slots } from "../../api/slots.ts";
import type { Opening } from "../../rules/opening/opening.ts";
import { WIDEST } from "../../rules/search/filters.ts";
import { addDays, todayInParis } from "../../time/calendar.ts";
import { serverClock } from "../../time/clock.ts";

const MINUTE = 60_000;

/** Milliseconds until the next read: every two seconds from a minute before the hour until five after it. `at` and `now` in ms. */
export function pace(at: number, now: number): number {
  const ahead = at - now;
  if (ahead <= MINUTE && ahead >= -5 * MINUTE) return 2000;
  return Math.abs(ahead) <= 15 * MINUTE ? MINUTE / 2 : 5 * MINUTE;
}

/** `centres`: where the wishes are; none: anywhere in the department. */
export const openingQuery = (opening: Opening, centres: string[]) => {
  const at = Date.parse(opening.at);
  const from = todayInParis(serverClock.now());
  return queryOptions({
    queryKey: [...keys.slots, "opening", opening.id, from, centres],
    queryFn: ({ signal }) =>
      slots(
        {
          department: opening.department,
          category: opening.category,
          from,
          to: addDays(from, WIDEST - 1),
          centres,
          // One minute more: what opens at that very moment is in.
          opensBefore: new Date(at + 60_000).toISOString(),
        },
        undefined,
        signal,
      ),
    refetchInterval: () => pace(at, serverClock.now()),
    refetchIntervalInBackground: true,
  });
};

/** The last preparation of an opening: written by the act, read wherever the room is drawn. */
export const preparationKey = (openingId: string) => [...keys.preparations, openingId] as const;

export const preparationQuery = (openingId: string) =>
  queryOptions({
    queryKey: preparationKey(openingId),
    queryFn: (): Preparation | null => null,
    enabled: false,
    initialData: null as Preparation | null,
    gcTime: 60 * 60_000,
  });
