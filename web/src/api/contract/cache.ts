/** The cache of answers: its keys, and for how long they stay. Live events (src/live) mark keys as old; only slots are read at intervals. */
import { QueryClient } from "@tanstack/react-query";
import { Problem } from "./problem.ts";

export const keys = {
  session: ["session"],
  ownSessions: ["own-sessions"],
  people: ["people"],
  grants: ["grants"],
  slots: ["slots"],
  basket: ["basket"],
  bookings: ["bookings"],
  results: ["bookings", "results"],
  swappable: ["swappable"],
  candidates: ["candidates"],
  standings: ["standings"],
  thresholds: ["thresholds"],
  parameters: ["parameters"],
  notices: ["notices"],
  audit: ["audit"],
  favourites: ["favourites"],
  searches: ["searches"],
  preparations: ["preparations"],
  school: ["school"],
  trainers: ["school", "trainers"],
  vehicles: ["school", "vehicles"],
  hours: ["school", "hours"],
  unavailabilities: ["unavailabilities"],
} as const;

/** Reads are tried again twice when the answer was lost or a service is away; a refusal is final. */
function worthRetrying(failures: number, error: unknown): boolean {
  return failures < 2 && error instanceof Problem && (error.lost || error.status >= 502);
}

export function newQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: { retry: worthRetrying, staleTime: 10_000, gcTime: 10 * 60_000, refetchOnWindowFocus: true },
      mutations: { retry: false, networkMode: "always" },
    },
  });
}
