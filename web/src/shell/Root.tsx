/**
 * Who is here decides what is drawn: nobody any more (blank), nothing known yet, nobody (the landing), the school's pages, or those of
 * who is no employee. Where somebody is let in, it does not matter who was here before.
 */

import { t } from "@lingui/core/macro";
import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Outlet, useRouterState } from "@tanstack/react-router";
import { lazy, Suspense } from "react";
import { ofSchool, sessionQuery } from "../api/session.ts";
import { Loading } from "../components/Loading.tsx";
import { ProblemNotice } from "../components/Notice.tsx";
import { signedOut } from "../live/feed.ts";
import { useStore } from "../live/store.ts";
import { Late } from "./frame/Late.tsx";
import { Ended } from "./session/Ended.tsx";
import { EntranceFrame } from "./session/EntranceFrame.tsx";
import { Landing } from "./session/Landing.tsx";

/** Of its own: who signs in first loads what asks for it, not the school's frame. */
const Shell = lazy(() => import("./frame/Shell.tsx").then((frame) => ({ default: frame.Shell })));
const PersonFrame = lazy(() => import("./frame/PersonFrame.tsx").then((frame) => ({ default: frame.PersonFrame })));
/** Open to whoever has a word or a code. */
const ENTRANCES: readonly string[] = ["/invitation", "/premier-administrateur"];

export function Root() {
  // Before anything of the school is drawn: a session that is over leaves none of it.
  const over = useStore(signedOut);
  const path = useRouterState({ select: (state) => state.location.pathname });
  const shown = ENTRANCES.includes(path) ? (
    <EntranceFrame>
      <Outlet />
    </EntranceFrame>
  ) : over ? (
    <Ended />
  ) : (
    <Present />
  );
  return (
    <>
      {shown}
      <Late />
    </>
  );
}

function Present() {
  const session = useQuery(sessionQuery);
  if (session.data)
    return (
      <Suspense fallback={<Waiting />}>
        {ofSchool(session.data) ? <Shell session={session.data} /> : <PersonFrame session={session.data} />}
      </Suspense>
    );
  if (session.data === null) return <Landing />;
  if (!session.error) return <Waiting />;
  return (
    <main className="rp-main">
      <ProblemNotice error={session.error}>
        <div>
          <Button variant="default" onClick={() => session.refetch({ cancelRefetch: false })}>{t`Actualiser`}</Button>
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
