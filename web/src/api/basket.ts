/** The basket: what is held, asked for, named, validated or given back; and what can be settled before an opening. */
import { queryOptions } from "@tanstack/react-query";
import { keys } from "./contract/cache.ts";
import { act, ask, ours, rest } from "./contract/client.ts";
import type * as api from "./contract/types.ts";

export const basket = () => ask(() => rest.GET("/api/v1/basket")) as Promise<api.Basket>;

export interface HoldItem {
  slotId: string;
  candidateId?: string;
  trainerId?: string;
  vehicleId?: string;
}

export const hold = (items: HoldItem[], allOrNothing: boolean, key: string) =>
  ask(() =>
    rest.POST("/api/v1/basket/items", { params: { header: act(key) }, body: { items, allOrNothing } }),
  ) as Promise<api.GroupOutcome>;

/** Would a hold of these be allowed now? Reasons, remedies, when it opens. Holds nothing. */
export const checkHold = (items: HoldItem[], signal?: AbortSignal) =>
  ask(() =>
    rest.POST("/api/v1/basket/check", { params: { header: ours() }, body: { items }, ...(signal ? { signal } : {}) }),
  ) as Promise<api.Explanation>;

/** Settles before an opening what can be: token, basket, budget, each candidate. Holds nothing. */
export const prepareOpening = (body: {
  category: string;
  department: string;
  candidateIds: string[];
  slotId?: string;
}) =>
  ask(() => rest.POST("/api/v1/basket/preparation", { params: { header: ours() }, body })) as Promise<api.Preparation>;

/** Trainer and vehicle of a line; null where none is chosen. Ours alone, RdvPermis is not asked. */
export const setLineResources = (
  lineId: string,
  body: { trainerId: string | null; vehicleId: string | null },
  key: string,
) =>
  ask(() =>
    rest.PUT("/api/v1/basket/items/{line_id}/accompaniment", {
      params: { header: act(key), path: { line_id: lineId } },
      body,
    }),
  ) as Promise<api.Line>;

export const nameCandidate = (lineId: string, candidateId: string | null, key: string) =>
  ask(() =>
    rest.PUT("/api/v1/basket/items/{line_id}/candidate", {
      params: { header: act(key), path: { line_id: lineId } },
      body: { candidateId },
    }),
  );

export const release = (lineId: string, key: string) =>
  ask(() => rest.DELETE("/api/v1/basket/items/{line_id}", { params: { header: act(key), path: { line_id: lineId } } }));

export const validate = (groupId: string, key: string) =>
  ask(() =>
    rest.POST("/api/v1/basket/validation", { params: { header: act(key) }, body: { groupId } }),
  ) as Promise<api.GroupOutcome>;

export const basketQuery = queryOptions({ queryKey: keys.basket, queryFn: basket });

/** Asked again each time it is shown: what is allowed changes with the minute. */
export const checkQuery = (items: HoldItem[]) =>
  queryOptions({
    queryKey: [...keys.slots, "check", items],
    queryFn: ({ signal }) => checkHold(items, signal),
    staleTime: 0,
    gcTime: 60_000,
  });
