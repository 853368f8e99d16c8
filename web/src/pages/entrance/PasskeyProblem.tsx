import { t } from "@lingui/core/macro";
import { NoPasskey } from "../../api/people/passkey.ts";
import { Notice, ProblemNotice } from "../../components/Notice.tsx";

/** Why a passkey was not made: the browser, the person, or us. */
export function PasskeyProblem({ error }: { error: unknown }) {
  if (!(error instanceof NoPasskey)) return <ProblemNotice error={error} />;
  return (
    <Notice level="warning" alert>
      <p>
        {error.why === "unsupported"
          ? t`Ce navigateur ne sait pas créer de clé d'accès. Mettez-le à jour, ou ouvrez cette page dans un autre.`
          : t`Aucune clé d'accès n'a répondu. Recommencez quand vous êtes prêt.`}
      </p>
    </Notice>
  );
}

/** A session has begun: the page starts anew, and knows whose. */
export function enter(): void {
  window.location.replace("/");
}
