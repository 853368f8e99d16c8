/** What is kept of the answers about the school itself; apart from queries.ts, so that the first load does not carry them. */
import { queryOptions } from "@tanstack/react-query";
import * as calls from "./calls.ts";
import { keys } from "./queries.ts";
import * as ours from "./school-calls.ts";
import type { Subject } from "./types.ts";

export const schoolKeys = {
  school: keys.school,
  trainers: [...keys.school, "trainers"],
  vehicles: [...keys.school, "vehicles"],
  hours: [...keys.school, "hours"],
  standings: keys.standings,
  unavailabilities: ["unavailabilities"],
  parameters: keys.parameters,
  results: [...keys.bookings, "results"],
} as const;

export const schoolQuery = queryOptions({ queryKey: [...schoolKeys.school, "profile"], queryFn: ours.school });

export const trainersQuery = queryOptions({
  queryKey: schoolKeys.trainers,
  queryFn: ours.trainers,
  staleTime: 5 * 60_000,
});

export const vehiclesQuery = queryOptions({
  queryKey: schoolKeys.vehicles,
  queryFn: ours.vehicles,
  staleTime: 5 * 60_000,
});

export const hoursQuery = queryOptions({ queryKey: schoolKeys.hours, queryFn: ours.hours });

export const standingQuery = (candidateId: string) =>
  queryOptions({ queryKey: [...schoolKeys.standings, candidateId], queryFn: () => ours.standing(candidateId) });

export const unavailabilitiesQuery = (subject: Subject, from: string, to: string) =>
  queryOptions({
    queryKey: [...schoolKeys.unavailabilities, subject, from, to],
    queryFn: () => ours.unavailabilities(subject, from, to),
  });

export const parametersQuery = queryOptions({
  queryKey: schoolKeys.parameters,
  queryFn: calls.parameters,
  staleTime: 60_000,
});

export const resultsQuery = (fromMonth: string, toMonth: string) =>
  queryOptions({
    queryKey: [...schoolKeys.results, fromMonth, toMonth],
    queryFn: () => calls.results(fromMonth, toMonth),
  });
