/** What is kept of the answers, and until when. Live hints (src/live) mark keys as old; nothing here polls but slots. */
import { QueryClient } from "@tanstack/react-query";
import { Problem } from "./problem.ts";

export const keys = {
  session: ["session"],
  slots: ["slots"],
  basket: ["basket"],
  bookings: ["bookings"],
  results: ["bookings", "results"],
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

/** Reads are tried again twice when the answer was lost or a part is away; a refusal is final. */
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
