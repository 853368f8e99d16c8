/**
 * Where an invitation's mail leads. Its word stands behind "#" in the address, which browsers send nowhere; it leaves the address bar
 * and the history at once.
 */

import { t } from "@lingui/core/macro";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { Problem } from "../../api/contract/problem.ts";
import { accept, invitation } from "../../api/people/passkey.ts";
import { ActionButton } from "../../components/ActionButton.tsx";
import { Loading } from "../../components/Loading.tsx";
import { Notice, ProblemNotice } from "../../components/Notice.tsx";
import { PageTitle } from "../../components/PageTitle.tsx";
import { useAct } from "../../live/act.ts";
import { departmentName } from "../../rules/departments.ts";
import { roleName } from "../../rules/people.ts";
import { instantShort } from "../../time/format.ts";
import { enter, PasskeyProblem } from "./PasskeyProblem.tsx";

export function Invitation() {
  const [word] = useState(() => window.location.hash.slice(1));
  useEffect(() => {
    if (word) window.history.replaceState(window.history.state, "", "/invitation");
  }, [word]);
  const found = useQuery({
    queryKey: ["invitation"],
    queryFn: () => invitation(word),
    enabled: word !== "",
    retry: false,
    staleTime: Number.POSITIVE_INFINITY,
    refetchOnWindowFocus: false,
  });
  const making = useAct(() => accept(word), { onSuccess: enter });
  const over = word === "" || isOver(found.error) || isOver(making.error);
  return (
    <>
      <PageTitle>{t`Votre invitation`}</PageTitle>
      {over ? (
        <Notice level="warning" alert>
          <p>{t`Ce lien n'est plus valable. Il sert une seule fois, pendant 72 heures ; demandez-en un nouveau à qui vous a invité.`}</p>
        </Notice>
      ) : found.error ? (
        <ProblemNotice error={found.error} />
      ) : found.data ? (
        <>
          <p className="rp-lead">
            {t`${found.data.displayName}, vous recevez cette invitation à rejoindre ResaPermis comme ${roleName(found.data.role)}.`}
          </p>
          {found.data.scope.length > 0 ? <p>{t`Pour : ${found.data.scope.map(departmentName).join(", ")}`}</p> : null}
          <p>{t`Créez une clé d'accès sur cet appareil : votre empreinte, votre visage ou un code l'ouvre. Vous n'aurez aucun mot de passe.`}</p>
          <p className="rp-muted">{t`Cette invitation vaut jusqu'au ${instantShort(found.data.endsAt)}.`}</p>
          {making.error ? <PasskeyProblem error={making.error} /> : null}
          <div>
            <ActionButton size="md" main busy={making.isPending} onAct={() => making.mutate()}>
              {t`Créer ma clé d'accès et entrer`}
            </ActionButton>
          </div>
        </>
      ) : (
        <Loading rows={3} />
      )}
    </>
  );
}

function isOver(error: unknown): boolean {
  return error instanceof Problem && (error.code === "NOT_FOUND" || error.code === "MALFORMED");
}
