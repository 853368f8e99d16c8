/** Who is here decides what is drawn: nothing known yet, nobody (the landing), or the school's pages. */

import { t } from "@lingui/core/macro";
import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { sessionQuery } from "../api/session.ts";
import { Loading } from "../components/Loading.tsx";
import { ProblemNotice } from "../components/Notice.tsx";
import { Shell } from "./frame/Shell.tsx";
import { Landing } from "./session/Landing.tsx";

export function Root() {
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
