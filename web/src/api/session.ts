/** Who is signed in, and for which school. */
import { queryOptions, useQuery } from "@tanstack/react-query";
import { keys } from "./contract/cache.ts";
import { ask, ours, rest, setCsrfToken } from "./contract/client.ts";
import { Problem } from "./contract/problem.ts";
import type * as api from "./contract/types.ts";

export const session = () => ask(() => rest.GET("/auth/session"), true);

export const signOut = () => ask(() => rest.POST("/auth/logout", { params: { header: ours() } }), true);

export const sessionQuery = queryOptions({
  queryKey: keys.session,
  queryFn: async (): Promise<api.Session | null> => {
    try {
      const found = await session();
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
export function useSession(): api.Session {
  const { data } = useQuery(sessionQuery);
  if (!data) throw new Error("a page for signed-in people was drawn without a session");
  return data;
}
