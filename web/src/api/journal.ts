/** The journal and its proofs. */
import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { keys } from "./contract/cache.ts";
import { ask, rest } from "./contract/client.ts";

export const auditRecords = (
  { objectId, action }: { objectId?: string; action?: string },
  cursor: string | undefined,
) =>
  ask(() =>
    rest.GET("/api/v1/audit/records", {
      params: {
        query: { ...(objectId ? { objectId } : {}), ...(action ? { action } : {}), ...(cursor ? { cursor } : {}) },
      },
    }),
  );

const securityRecords = (action: string | undefined, cursor: string | undefined) =>
  ask(() =>
    rest.GET("/api/v1/audit/security-records", {
      params: { query: { ...(action ? { action } : {}), ...(cursor ? { cursor } : {}) } },
    }),
  );

/** The note with its key: the contract gives the bare note only where text/plain is asked. */
export const checkpoint = () =>
  ask(() => rest.GET("/api/v1/audit/checkpoint")) as Promise<{ note: string; verifierKey: string }>;

/** `security`: of a record about security, for who may read it. */
export const inclusionProof = (id: string, security: boolean) =>
  ask(() =>
    rest.GET(
      security ? "/api/v1/audit/security-records/{record_id}/proof" : "/api/v1/audit/records/{record_id}/proof",
      { params: { path: { record_id: id } } },
    ),
  );

/** `security`: what is about the platform's security instead of the school's acts, for who may read it. */
export const auditQuery = (filter: { objectId?: string; action?: string; security?: boolean }) =>
  infiniteQueryOptions({
    queryKey: [...keys.audit, "records", filter],
    queryFn: ({ pageParam }) =>
      filter.security ? securityRecords(filter.action, pageParam) : auditRecords(filter, pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.nextCursor ?? undefined,
  });

export const checkpointQuery = queryOptions({ queryKey: [...keys.audit, "checkpoint"], queryFn: checkpoint });
