/** Where the signed-in person is signed in, and ending that. */
import { queryOptions } from "@tanstack/react-query";
import { keys } from "./contract/cache.ts";
import { ask, ours, rest } from "./contract/client.ts";
import type * as api from "./contract/types.ts";

export const ownSessionsQuery = queryOptions({
  queryKey: keys.ownSessions,
  queryFn: () => ask(() => rest.GET("/api/v1/me/sessions")) as Promise<api.OwnSessionPage>,
});

export const endOwnSession = (id: string) =>
  ask(() => rest.DELETE("/api/v1/me/sessions/{session_id}", { params: { header: ours(), path: { session_id: id } } }));
