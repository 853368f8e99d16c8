/** What the pages ask about the school itself: licence, trainers, vehicles, hours, who is free when, who is barred. */
import { act, ask, ours } from "./client.ts";
import { loose } from "./loose.ts";
import type * as api from "./types.ts";

export const school = () => ask(() => loose.GET("/api/v1/school")) as Promise<api.School>;

export const setLicence = (licensedUntil: string | null) =>
  ask(() =>
    loose.PUT("/api/v1/school", { params: { header: ours() }, body: { licensedUntil } }),
  ) as Promise<api.School>;

export const trainers = () => ask(() => loose.GET("/api/v1/school/trainers")) as Promise<{ items: api.Trainer[] }>;

export type TrainerBody = Pick<
  api.Trainer,
  "department" | "categories" | "activeFrom" | "activeUntil" | "authorisedUntil"
>;

export const setTrainer = (id: string, body: TrainerBody) =>
  ask(() =>
    loose.PUT("/api/v1/school/trainers/{trainer_id}", {
      params: { header: ours(), path: { trainer_id: id } },
      body,
    }),
  ) as Promise<api.Trainer>;

export const vehicles = () => ask(() => loose.GET("/api/v1/school/vehicles")) as Promise<{ items: api.Vehicle[] }>;

export type VehicleBody = Omit<api.Vehicle, "id">;

export const addVehicle = (body: VehicleBody, key: string) =>
  ask(() => loose.POST("/api/v1/school/vehicles", { params: { header: act(key) }, body })) as Promise<api.Vehicle>;

export const setVehicle = (id: string, body: VehicleBody) =>
  ask(() =>
    loose.PUT("/api/v1/school/vehicles/{vehicle_id}", {
      params: { header: ours(), path: { vehicle_id: id } },
      body,
    }),
  ) as Promise<api.Vehicle>;

export const hours = () => ask(() => loose.GET("/api/v1/school/hours")) as Promise<api.HoursPage>;

/** Whole figures of a month and kind: said again, they replace. */
export const declareHours = (declared: api.Hours[]) =>
  ask(() => loose.PUT("/api/v1/school/hours", { params: { header: ours() }, body: { hours: declared } }));

export const standing = (candidateId: string) =>
  ask(() =>
    loose.GET("/api/v1/candidates/{candidate_id}/standing", { params: { path: { candidate_id: candidateId } } }),
  ) as Promise<api.Standing>;

export const proposeLift = (barId: string, reason: api.LiftReason) =>
  ask(() =>
    loose.POST("/api/v1/bars/{bar_id}/lift", { params: { header: ours(), path: { bar_id: barId } }, body: { reason } }),
  );

export const approveLift = (barId: string) =>
  ask(() => loose.POST("/api/v1/bars/{bar_id}/lift-approval", { params: { header: ours(), path: { bar_id: barId } } }));

/** Occurrences between two instants; of everybody of the school when no subject is said. */
export const unavailabilities = (subject: api.Subject, from: string, to: string) =>
  ask(() =>
    loose.GET("/api/v1/unavailabilities", {
      params: { query: { kind: subject.kind, ...(subject.id ? { id: subject.id } : {}), from, to } },
    }),
  ) as Promise<{ items: api.Unavailability[] }>;

export const addUnavailability = (body: api.NewUnavailability, key: string) =>
  ask(() => loose.POST("/api/v1/unavailabilities", { params: { header: act(key) }, body })) as Promise<{
    unavailability: api.Unavailability;
    metLineIds: string[];
  }>;

export const removeUnavailability = (id: string) =>
  ask(() =>
    loose.DELETE("/api/v1/unavailabilities/{unavailability_id}", {
      params: { header: ours(), path: { unavailability_id: id } },
    }),
  );

/** `calendar`: the text of an iCalendar file. */
export const importCalendar = (subject: api.Subject, calendar: string) =>
  ask(() =>
    loose.POST("/api/v1/unavailabilities/import", {
      params: { header: ours(), query: { kind: subject.kind, ...(subject.id ? { id: subject.id } : {}) } },
      body: calendar,
      bodySerializer: (body) => body,
      headers: { "Content-Type": "text/calendar" },
    }),
  ) as Promise<api.ImportReport>;

/** The private address of a trainer's exams: told once. */
export const createFeed = (trainerId: string) =>
  ask(() =>
    loose.POST("/api/v1/calendar-feeds/{trainer_id}", {
      params: { header: ours(), path: { trainer_id: trainerId } },
    }),
  ) as Promise<{ url: string }>;

export const revokeFeed = (trainerId: string) =>
  ask(() =>
    loose.DELETE("/api/v1/calendar-feeds/{trainer_id}", {
      params: { header: ours(), path: { trainer_id: trainerId } },
    }),
  );
