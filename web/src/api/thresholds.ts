/** The figures that the rules rest on. */
import { queryOptions } from "@tanstack/react-query";
import { keys } from "./contract/cache.ts";
import { ask, rest } from "./contract/client.ts";
import type * as api from "./contract/types.ts";

export const thresholds = () => ask(() => rest.GET("/api/v1/thresholds")) as Promise<{ items: api.Threshold[] }>;

export const parameters = () => ask(() => rest.GET("/api/v1/rules/parameters")) as Promise<{ items: api.Parameter[] }>;

export const thresholdsQuery = queryOptions({ queryKey: keys.thresholds, queryFn: thresholds });

export const parametersQuery = queryOptions({
  queryKey: keys.parameters,
  queryFn: parameters,
  staleTime: 60_000,
});
