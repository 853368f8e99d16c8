/** Who is signed in, and for which school. */
import { queryOptions, useQuery } from "@tanstack/react-query";
import { keys } from "./contract/cache.ts";
import { adopt, ask, forgetSession, lost, ours, rest } from "./contract/client.ts";
import { expectSession } from "./contract/early.ts";
import { Problem } from "./contract/problem.ts";
import type * as api from "./contract/types.ts";

export const session = () => ask(() => rest.GET("/auth/session"), true);

/** Ends the session; whoever signs in next may be somebody else. */
export const signOut = () =>
  ask(() => rest.POST("/auth/logout", { params: { header: ours() } }), true).finally(forgetSession);

export const sessionQuery = queryOptions({
  queryKey: keys.session,
  queryFn: async ({ client, queryKey }): Promise<api.Session | null> => {
    // A page that is drawn keeps its session when that is gone or somebody else's: work stays on screen, sign-in is asked.
    const before = client.getQueryData<api.Session | null>(queryKey);
    try {
      const found = await session();
      return adopt(found) ? found : (before ?? null);
    } catch (error) {
      if (!(error instanceof Problem && error.status === 401)) throw error;
      if (before) lost();
      else expectSession(false);
      return before ?? null;
    }
  },
  staleTime: Number.POSITIVE_INFINITY,
  gcTime: Number.POSITIVE_INFINITY,
  refetchOnWindowFocus: false,
});

/** The session, inside pages that only exist when there is one. */
export function useAnySession(): api.Session {
  const { data } = useQuery(sessionQuery);
  if (!data) throw new Error("a page for signed-in people was drawn without a session");
  return data;
}

/** The same inside a school's pages. */
export function useSession(): api.SchoolSession {
  const session = useAnySession();
  if (!ofSchool(session)) throw new Error("a school's page was drawn for somebody of no school");
  return session;
}

/** Whether a session acts for a school; whoever is no employee has a frame of their own. */
export function ofSchool(session: api.Session): session is api.SchoolSession {
  return session.school !== null;
}
