/** The school itself: licence, trainers, vehicles, declared hours. */
import { queryOptions } from "@tanstack/react-query";
import { keys } from "./contract/cache.ts";
import { act, ask, ours, rest } from "./contract/client.ts";
import type * as api from "./contract/types.ts";

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

/** Hours a trainer, month, licence and kind: a second declaration replaces the first. Returns all hours, after the change. */
export const declareHours = (hours: api.Hours[]) =>
  ask(() =>
    rest.PUT("/api/v1/school/hours", { params: { header: ours() }, body: { hours } }),
  ) as Promise<api.HoursPage>;

export const schoolQuery = queryOptions({ queryKey: [...keys.school, "profile"], queryFn: school });

export const trainersQuery = queryOptions({
  queryKey: keys.trainers,
  queryFn: trainers,
  staleTime: 5 * 60_000,
});

export const vehiclesQuery = queryOptions({
  queryKey: keys.vehicles,
  queryFn: vehicles,
  staleTime: 5 * 60_000,
});

export const hoursQuery = queryOptions({ queryKey: keys.hours, queryFn: hours });
