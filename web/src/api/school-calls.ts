/** What the pages ask about the school itself: licence, trainers, vehicles, hours, who is free when, who is barred. */
import { act, ask, ours, rest } from "./client.ts";
import type * as api from "./types.ts";

export const school = () => ask(() => rest.GET("/api/v1/school")) as Promise<api.School>;

/** The last day, included; null where it is not known. */
export const setLicence = (licensedUntil: string | null) =>
  ask(() =>
    rest.PUT("/api/v1/school/licence", { params: { header: ours() }, body: { licensedUntil } }),
  ) as Promise<api.School>;

export const trainers = () => ask(() => rest.GET("/api/v1/school/trainers")) as Promise<api.TrainerPage>;

export interface TrainerBody {
  department: string;
  categories: string[];
  activeFrom: string;
  activeUntil: string | null;
  authorisedUntil: string | null;
}

export const setTrainer = (id: string, body: TrainerBody) =>
  ask(() =>
    rest.PUT("/api/v1/school/trainers/{trainer_id}", {
      params: { header: ours(), path: { trainer_id: id } },
      body,
    }),
  ) as Promise<api.Trainer>;

export const vehicles = () => ask(() => rest.GET("/api/v1/school/vehicles")) as Promise<{ items: api.Vehicle[] }>;

export type VehicleBody = Omit<api.Vehicle, "id">;

export const addVehicle = (body: VehicleBody, key: string) =>
  ask(() => rest.POST("/api/v1/school/vehicles", { params: { header: act(key) }, body })) as Promise<api.Vehicle>;

export const setVehicle = (id: string, body: VehicleBody) =>
  ask(() =>
    rest.PUT("/api/v1/school/vehicles/{vehicle_id}", {
      params: { header: ours(), path: { vehicle_id: id } },
      body,
    }),
  ) as Promise<api.Vehicle>;

export const hours = () => ask(() => rest.GET("/api/v1/school/hours")) as Promise<api.HoursPage>;

/** Whole figures of a month and kind: said again, they replace. The answer is everything as it now stands. */
export const declareHours = (hours: api.Hours[]) =>
  ask(() =>
    rest.PUT("/api/v1/school/hours", { params: { header: ours() }, body: { hours } }),
  ) as Promise<api.HoursPage>;

export const standing = (candidateId: string) =>
  ask(() =>
    rest.GET("/api/v1/candidates/{candidate_id}/standing", { params: { path: { candidate_id: candidateId } } }),
  ) as Promise<api.Standing>;

export const proposeLift = (barId: string, reason: api.LiftReason) =>
  ask(() =>
    rest.POST("/api/v1/restrictions/{restriction_id}/waiver", {
      params: { header: ours(), path: { restriction_id: barId } },
      body: { reason },
    }),
  );

export const approveLift = (barId: string) =>
  ask(() =>
    rest.POST("/api/v1/restrictions/{restriction_id}/waiver-approval", {
      params: { header: ours(), path: { restriction_id: barId } },
    }),
  );

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

/** `calendar`: the text of an iCalendar file. */
export const importCalendar = (subject: api.Subject, calendar: string) =>
  ask(() =>
    rest.POST("/api/v1/unavailabilities/import", {
      params: { header: ours(), query: whose(subject) },
      body: calendar,
      bodySerializer: (body) => body,
      headers: { "Content-Type": "text/calendar" },
    }),
  ) as Promise<api.ImportReport>;

/** The private address of a trainer's exams: told once. */
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
