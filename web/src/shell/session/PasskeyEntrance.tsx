/** For whoever is not an RdvPermis employee: signs in by the passkey that an invitation had them make. */

import { t } from "@lingui/core/macro";
import { Button } from "@mantine/core";
import { IconFingerprint } from "@tabler/icons-react";
import { Problem } from "../../api/contract/problem.ts";
import { NoPasskey, signInWithPasskey } from "../../api/people/passkey.ts";
import { useAct } from "../../live/act.ts";

/** `returnTo`: where the page starts anew, with the session. */
export function PasskeyEntrance({ returnTo }: { returnTo: string }) {
  const entering = useAct(() => signInWithPasskey(), {
    onSuccess: () => window.location.replace(returnTo),
  });
  return (
    <details className="rp-entrance">
      <summary>{t`Je ne suis pas employé d'une auto-école`}</summary>
      <div className="rp-stack rp-stack--tight">
        <p className="rp-muted">{t`Vous avez été invité et avez créé une clé d'accès sur votre appareil.`}</p>
        <div>
          <Button
            variant="default"
            leftSection={<IconFingerprint size={20} aria-hidden />}
            aria-disabled={entering.isPending || undefined}
            data-disabled={entering.isPending || undefined}
            onClick={() => {
              if (!entering.isPending) entering.mutate();
            }}
          >
            {t`Se connecter avec une clé d'accès`}
          </Button>
        </div>
        {entering.error ? <p role="alert">{reason(entering.error)}</p> : null}
      </div>
    </details>
  );
}

function reason(error: Error): string {
  if (error instanceof NoPasskey) {
    return error.why === "unsupported"
      ? t`Ce navigateur ne connaît pas les clés d'accès. Mettez-le à jour, ou ouvrez cette page dans un autre.`
      : t`Aucune clé d'accès n'a répondu. Recommencez quand vous êtes prêt.`;
  }
  if (error instanceof Problem && error.code === "SIGN_IN_FAILED") {
    return t`Cette clé d'accès n'ouvre aucun compte actif. Si le vôtre est suspendu ou terminé, adressez-vous à qui vous a invité.`;
  }
  if (error instanceof Problem && error.code === "OVERLOADED")
    return t`Trop d'essais. Attendez une minute, puis recommencez.`;
  return t`La connexion n'a pas abouti. Recommencez dans un instant.`;
}
