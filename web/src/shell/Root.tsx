/** Who is here decides what is drawn: nobody any more (blank), nothing known yet, nobody (the landing), or the school's pages. */

import { t } from "@lingui/core/macro";
import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { sessionQuery } from "../api/session.ts";
import { Loading } from "../components/Loading.tsx";
import { ProblemNotice } from "../components/Notice.tsx";
import { signedOut } from "../live/feed.ts";
import { useStore } from "../live/store.ts";
import { Shell } from "./frame/Shell.tsx";
import { Ended } from "./session/Ended.tsx";
import { Landing } from "./session/Landing.tsx";

export function Root() {
  // Before anything of the school is drawn: a session that is over leaves none of it.
  return useStore(signedOut) ? <Ended /> : <Present />;
}

function Present() {
  const session = useQuery(sessionQuery);
  if (session.data) return <Shell session={session.data} />;
  if (session.data === null) return <Landing />;
  return (
    <main className="rp-main">
      {session.error ? (
        <ProblemNotice error={session.error}>
          <div>
            <Button variant="default" onClick={() => session.refetch()}>{t`Relire`}</Button>
          </div>
        </ProblemNotice>
      ) : (
        <Loading rows={3} />
      )}
    </main>
  );
}
