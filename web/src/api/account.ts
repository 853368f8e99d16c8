/** The signed-in person's own: where they are signed in, and their grant for background work; with whether the school has any. */
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

export const ownGrantQuery = queryOptions({
  queryKey: [...keys.grants, "own"],
  queryFn: () => ask(() => rest.GET("/api/v1/me/grant")),
});

export const backgroundWorkQuery = queryOptions({
  queryKey: [...keys.grants, "school"],
  queryFn: () => ask(() => rest.GET("/api/v1/school/background-work")),
});

/** Where the browser goes to give it; RdvPermis sends it back to "/compte?grant=…". */
export const startGrant = () =>
  ask(() => rest.POST("/api/v1/me/grant", { params: { header: ours() } })) as Promise<api.GrantStart>;

export const withdrawGrant = () => ask(() => rest.DELETE("/api/v1/me/grant", { params: { header: ours() } }));
