/** Who is here decides what is drawn: nobody any more (blank), nothing known yet, nobody (the landing), or the school's pages. */

import { t } from "@lingui/core/macro";
import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense } from "react";
import { sessionQuery } from "../api/session.ts";
import { Loading } from "../components/Loading.tsx";
import { ProblemNotice } from "../components/Notice.tsx";
import { signedOut } from "../live/feed.ts";
import { useStore } from "../live/store.ts";
import { Ended } from "./session/Ended.tsx";
import { Landing } from "./session/Landing.tsx";

/** Of its own: who signs in first loads what asks for it, not the school's frame. */
const Shell = lazy(() => import("./frame/Shell.tsx").then((frame) => ({ default: frame.Shell })));

export function Root() {
  // Before anything of the school is drawn: a session that is over leaves none of it.
  return useStore(signedOut) ? <Ended /> : <Present />;
}

function Present() {
  const session = useQuery(sessionQuery);
  if (session.data)
    return (
      <Suspense fallback={<Waiting />}>
        <Shell session={session.data} />
      </Suspense>
    );
  if (session.data === null) return <Landing />;
  if (!session.error) return <Waiting />;
  return (
    <main className="rp-main">
      <ProblemNotice error={session.error}>
        <div>
          <Button variant="default" onClick={() => session.refetch()}>{t`Relire`}</Button>
        </div>
      </ProblemNotice>
    </main>
  );
}

function Waiting() {
  return (
    <main className="rp-main">
      <Loading rows={3} />
    </main>
  );
}
