/** The inbox. */
import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { keys } from "./contract/cache.ts";
import { ask, ours, rest } from "./contract/client.ts";
import type * as api from "./contract/types.ts";

export const notices = (cursor: string | undefined) =>
  ask(() =>
    rest.GET("/api/v1/notifications", { params: { query: cursor ? { cursor } : {} } }),
  ) as Promise<api.NoticePage>;

/** How many wait, without reading whom they are about: each name shown is a read of personal data, recorded as such. */
export const unread = () =>
  ask(() => rest.GET("/api/v1/notifications", { params: { query: { limit: 1 } } })).then((page) => page.unread);

export const markRead = (id: string) =>
  ask(() =>
    rest.POST("/api/v1/notifications/{notice_id}/read", { params: { header: ours(), path: { notice_id: id } } }),
  );

export const noticesQuery = infiniteQueryOptions({
  queryKey: [...keys.notices, "list"],
  queryFn: ({ pageParam }) => notices(pageParam),
  initialPageParam: undefined as string | undefined,
  getNextPageParam: (last: api.NoticePage) => last.nextCursor ?? undefined,
});

export const unreadQuery = queryOptions({ queryKey: [...keys.notices, "unread"], queryFn: unread });
