/** Candidates, their mandates, and what keeps them from booking. People are searched by POST: no name stands in an address. */
import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { keys } from "./contract/cache.ts";
import { act, ask, ours, rest } from "./contract/client.ts";
import type * as api from "./contract/types.ts";

export const candidates = (cursor: string | undefined) =>
  ask(() =>
    rest.GET("/api/v1/candidates", { params: { query: cursor ? { cursor } : {} } }),
  ) as Promise<api.CandidatePage>;

export const candidate = (id: string) =>
  ask(() =>
    rest.GET("/api/v1/candidates/{candidate_id}", { params: { path: { candidate_id: id } } }),
  ) as Promise<api.Candidate>;

export const searchCandidates = (query: string, cursor: string | undefined, signal?: AbortSignal) =>
  ask(() =>
    rest.POST("/api/v1/candidates/search", {
      params: { header: ours() },
      body: { query, cursor: cursor ?? "" },
      ...(signal ? { signal } : {}),
    }),
  ) as Promise<api.CandidatePage>;

export const createCandidate = (body: api.NewCandidate, key: string) =>
  ask(() => rest.POST("/api/v1/candidates", { params: { header: act(key) }, body })) as Promise<api.Candidate>;

/** Corrects the fields that are given. */
export const correctCandidate = (id: string, body: api.CandidateCorrection, key: string) =>
  ask(() =>
    rest.PATCH("/api/v1/candidates/{candidate_id}", {
      params: { header: act(key), path: { candidate_id: id } },
      body,
    }),
  ) as Promise<api.Candidate>;

export const requestMandate = (body: api.NewMandate, key: string) =>
  ask(() => rest.POST("/api/v1/mandates", { params: { header: act(key) }, body })) as Promise<api.Mandate>;

/** Reads a mandate again at RdvPermis now; spends one of the school's calls. */
export const refreshMandate = (id: string) =>
  ask(() =>
    rest.POST("/api/v1/mandates/{mandate_id}/refresh", { params: { header: ours(), path: { mandate_id: id } } }),
  );

export const revokeMandate = (id: string, key: string) =>
  ask(() =>
    rest.POST("/api/v1/mandates/{mandate_id}/revocation", {
      params: { header: act(key), path: { mandate_id: id } },
    }),
  );

export const standing = (candidateId: string) =>
  ask(() =>
    rest.GET("/api/v1/candidates/{candidate_id}/standing", { params: { path: { candidate_id: candidateId } } }),
  ) as Promise<api.Standing>;

export const proposeWaiver = (barId: string, reason: api.WaiverReason) =>
  ask(() =>
    rest.POST("/api/v1/restrictions/{restriction_id}/waiver", {
      params: { header: ours(), path: { restriction_id: barId } },
      body: { reason },
    }),
  );

export const approveWaiver = (barId: string) =>
  ask(() =>
    rest.POST("/api/v1/restrictions/{restriction_id}/waiver-approval", {
      params: { header: ours(), path: { restriction_id: barId } },
    }),
  );

export const candidatesQuery = infiniteQueryOptions({
  queryKey: [...keys.candidates, "list"],
  queryFn: ({ pageParam }) => candidates(pageParam),
  initialPageParam: undefined as string | undefined,
  getNextPageParam: (last) => last.nextCursor ?? undefined,
});

export const candidateQuery = (id: string) =>
  queryOptions({ queryKey: [...keys.candidates, "one", id], queryFn: () => candidate(id) });

export const candidateSearchQuery = (query: string) =>
  infiniteQueryOptions({
    queryKey: [...keys.candidates, "search", query],
    queryFn: ({ pageParam, signal }) => searchCandidates(query, pageParam, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.nextCursor ?? undefined,
    enabled: query.length >= 2,
    gcTime: 60_000,
  });

export const standingQuery = (candidateId: string) =>
  queryOptions({ queryKey: [...keys.standings, candidateId], queryFn: () => standing(candidateId) });
