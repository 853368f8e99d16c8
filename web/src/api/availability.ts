/** When a candidate, trainer, vehicle or the school is not free; and the private address of a trainer's exams. */
import { queryOptions } from "@tanstack/react-query";
import { keys } from "./contract/cache.ts";
import { act, ask, ours, rest } from "./contract/client.ts";
import type * as api from "./contract/types.ts";

function whose({ kind, id }: api.Subject) {
  return { subject: kind, ...(id ? { subjectId: id } : {}) };
}

/** Occurrences of some days, both included, at most 100. */
export const unavailabilities = (subject: api.Subject, from: string, to: string) =>
  ask(() =>
    rest.GET("/api/v1/unavailabilities", {
      params: { query: { ...whose(subject), from, to } },
    }),
  ) as Promise<{ items: api.Unavailability[] }>;

export const addUnavailability = (body: api.NewUnavailability, key: string) =>
  ask(() => rest.POST("/api/v1/unavailabilities", { params: { header: act(key) }, body })) as Promise<{
    unavailability: api.Unavailability;
    metLineIds: string[];
  }>;

export const removeUnavailability = (id: string) =>
  ask(() =>
    rest.DELETE("/api/v1/unavailabilities/{unavailability_id}", {
      params: { header: ours(), path: { unavailability_id: id } },
    }),
  );

/** `calendar`: the text of an iCalendar file. Where it would lose something of an earlier one, the answer asks first. */
export const importCalendar = (subject: api.Subject, calendar: string, despiteLosses: boolean) =>
  ask(() =>
    rest.POST("/api/v1/unavailabilities/import", {
      params: { header: ours(), query: { ...whose(subject), despiteLosses } },
      body: calendar,
      bodySerializer: (body) => body,
      headers: { "Content-Type": "text/calendar" },
    }),
  ) as Promise<api.ImportReport>;

/** A new private address of a trainer's exams; only this answer has it. */
export const createFeed = (trainerId: string) =>
  ask(() =>
    rest.POST("/api/v1/calendar-feeds/{trainer_id}", {
      params: { header: ours(), path: { trainer_id: trainerId } },
    }),
  ) as Promise<{ address: string }>;

export const revokeFeed = (trainerId: string) =>
  ask(() =>
    rest.DELETE("/api/v1/calendar-feeds/{trainer_id}", {
      params: { header: ours(), path: { trainer_id: trainerId } },
    }),
  );

export const unavailabilitiesQuery = (subject: api.Subject, from: string, to: string) =>
  queryOptions({
    queryKey: [...keys.unavailabilities, subject, from, to],
    queryFn: () => unavailabilities(subject, from, to),
  });
