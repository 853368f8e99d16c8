/** What is kept of the answers, and until when. Live hints (src/live) mark keys as old; nothing here polls but slots. */
import {
  infiniteQueryOptions,
  QueryClient,
  queryOptions,
  useMutation,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";
import * as calls from "./calls.ts";
import { setCsrfToken } from "./client.ts";
import { Problem } from "./problem.ts";
import type { NoticePage, Session } from "./types.ts";

export const keys = {
  session: ["session"],
  slots: ["slots"],
  basket: ["basket"],
  bookings: ["bookings"],
  candidates: ["candidates"],
  thresholds: ["thresholds"],
  notices: ["notices"],
  audit: ["audit"],
  favourites: ["favourites"],
  searches: ["searches"],
  preparations: ["preparations"],
  school: ["school"],
  standings: ["standings"],
  parameters: ["parameters"],
} as const;

/** Reads are tried again twice when the answer was lost or a part is away; a refusal is final. */
function worthRetrying(failures: number, error: unknown): boolean {
  return failures < 2 && error instanceof Problem && (error.lost || error.status >= 502);
}

export function newQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: { retry: worthRetrying, staleTime: 10_000, gcTime: 10 * 60_000, refetchOnWindowFocus: true },
      mutations: { retry: false, networkMode: "always" },
    },
  });
}

export const sessionQuery = queryOptions({
  queryKey: keys.session,
  queryFn: async (): Promise<Session | null> => {
    try {
      const found = await calls.session();
      setCsrfToken(found.csrfToken);
      return found;
    } catch (error) {
      if (error instanceof Problem && error.status === 401) return null;
      throw error;
    }
  },
  staleTime: Number.POSITIVE_INFINITY,
  gcTime: Number.POSITIVE_INFINITY,
  refetchOnWindowFocus: false,
});

/** The session, inside pages that only exist when there is one. */
export function useSession(): Session {
  const { data } = useQuery(sessionQuery);
  if (!data) throw new Error("a page for signed-in people was drawn without a session");
  return data;
}

export const slotsQuery = (filter: calls.SlotFilter) =>
  infiniteQueryOptions({
    queryKey: [...keys.slots, filter],
    queryFn: ({ pageParam, signal }) => calls.slots(filter, pageParam, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.nextCursor ?? undefined,
    refetchInterval: 30_000,
  });

export const centresQuery = (department: string, category: string) =>
  queryOptions({
    queryKey: ["centres", department, category],
    queryFn: () => calls.centres(department, category),
    staleTime: 60 * 60_000,
  });

export const basketQuery = queryOptions({ queryKey: keys.basket, queryFn: calls.basket });

export const bookingsQuery = (filter: calls.BookingFilter) =>
  infiniteQueryOptions({
    queryKey: [...keys.bookings, filter],
    queryFn: ({ pageParam }) => calls.bookings(filter, pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.nextCursor ?? undefined,
  });

export const candidatesQuery = infiniteQueryOptions({
  queryKey: [...keys.candidates, "list"],
  queryFn: ({ pageParam }) => calls.candidates(pageParam),
  initialPageParam: undefined as string | undefined,
  getNextPageParam: (last) => last.nextCursor ?? undefined,
});

export const candidateQuery = (id: string) =>
  queryOptions({ queryKey: [...keys.candidates, "one", id], queryFn: () => calls.candidate(id) });

export const candidateSearchQuery = (query: string) =>
  queryOptions({
    queryKey: [...keys.candidates, "search", query],
    queryFn: ({ signal }) => calls.searchCandidates(query, signal),
    enabled: query.length >= 2,
    gcTime: 60_000,
  });

export const thresholdsQuery = queryOptions({ queryKey: keys.thresholds, queryFn: calls.thresholds });

/** Asked again each time it is shown: what is allowed changes with the minute. */
export const checkQuery = (items: calls.HoldItem[]) =>
  queryOptions({
    queryKey: [...keys.slots, "check", items],
    queryFn: ({ signal }) => calls.checkHold(items, signal),
    staleTime: 0,
    gcTime: 60_000,
  });

export const favouritesQuery = queryOptions({
  queryKey: keys.favourites,
  queryFn: calls.favouriteCentres,
  staleTime: 5 * 60_000,
});

export const searchesQuery = queryOptions({ queryKey: keys.searches, queryFn: calls.savedSearches });

export const noticesQuery = infiniteQueryOptions({
  queryKey: [...keys.notices, "list"],
  queryFn: ({ pageParam }) => calls.notices(pageParam),
  initialPageParam: undefined as string | undefined,
  getNextPageParam: (last: NoticePage) => last.nextCursor ?? undefined,
});

export const unreadQuery = queryOptions({ queryKey: [...keys.notices, "unread"], queryFn: calls.unread });

export const auditQuery = (filter: { objectId?: string; action?: string }) =>
  infiniteQueryOptions({
    queryKey: [...keys.audit, "records", filter],
    queryFn: ({ pageParam }) => calls.auditRecords(filter, pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.nextCursor ?? undefined,
  });

export const checkpointQuery = queryOptions({ queryKey: [...keys.audit, "checkpoint"], queryFn: calls.checkpoint });

/** Read marks may run ahead of the answer (rule 1): they are ours, and come back if refused. */
export function useMarkRead() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: calls.markRead,
    onMutate: async (id: string) => {
      await client.cancelQueries({ queryKey: keys.notices });
      const before = client.getQueryData(noticesQuery.queryKey);
      client.setQueryData(noticesQuery.queryKey, (data) =>
        data
          ? {
              ...data,
              pages: data.pages.map((page) => ({
                ...page,
                unread: Math.max(0, page.unread - 1),
                items: page.items.map((notice) =>
                  notice.id === id ? { ...notice, readAt: notice.readAt ?? new Date().toISOString() } : notice,
                ),
              })),
            }
          : data,
      );
      return { before };
    },
    onError: (_error, _id, context) => client.setQueryData(noticesQuery.queryKey, context?.before),
    onSettled: () => client.invalidateQueries({ queryKey: keys.notices }),
  });
}
