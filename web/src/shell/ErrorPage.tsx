import { t } from "@lingui/core/macro";
import { Button } from "@mantine/core";
import { Problem } from "../api/contract/problem.ts";
import { Notice, ProblemNotice } from "../components/Notice.tsx";

/** A page that could not be drawn, with a way out. Often a new version whose files replaced the ones this tab knows. */
export function ErrorPage({ error }: { error: unknown }) {
  return (
    <div className="rp-stack">
      {error instanceof Problem ? (
        <ProblemNotice error={error} />
      ) : (
        <Notice level="danger" alert>
          <p>{t`Cette page n'a pas pu s'afficher. Rechargez-la : rien de ce que RdvPermis sait n'est perdu.`}</p>
        </Notice>
      )}
      <div>
        <Button onClick={() => window.location.reload()}>{t`Recharger`}</Button>
      </div>
    </div>
  );
}
