/** The private address of a trainer's exams: shown once, copied, ended. Whoever knows it reads the hours; it names no candidate. */

import { t } from "@lingui/core/macro";
import { Button, TextInput } from "@mantine/core";
import { IconCopy } from "@tabler/icons-react";
import { useState } from "react";
import { createFeed, revokeFeed } from "../../api/availability.ts";
import { ConfirmDialog } from "../../components/ConfirmDialog.tsx";
import { Notice, ProblemNotice } from "../../components/Notice.tsx";
import { useAct } from "../../live/act.ts";
import { toast } from "../../live/toast.ts";

export function Feed({ trainerId, name }: { trainerId: string; name: string }) {
  const [ending, setEnding] = useState(false);
  const [making, setMaking] = useState(false);
  const make = useAct(() => createFeed(trainerId), { onSuccess: () => setMaking(false) });
  const revoke = useAct(() => revokeFeed(trainerId), {
    onSuccess: () => {
      setEnding(false);
      make.reset();
      toast(t`L'adresse privée de ${name} ne fonctionne plus.`);
    },
  });
  const address = make.data?.address;
  return (
    <section className="rp-stack rp-stack--tight" aria-label={t`Agenda privé`}>
      <h3>{t`Agenda privé`}</h3>
      <p className="rp-muted">
        {t`${name} peut suivre ses examens dans son propre agenda, à une adresse secrète. Aucun candidat n'y est nommé.`}
      </p>
      {address ? (
        <Notice level="warning">
          <p>{t`Copiez cette adresse maintenant : elle n'est montrée qu'une fois.`}</p>
          <div className="rp-row rp-address">
            <TextInput
              aria-label={t`Adresse privée de ${name}`}
              readOnly
              value={address}
              onFocus={(event) => event.currentTarget.select()}
            />
            <Button
              variant="default"
              leftSection={<IconCopy size={18} aria-hidden />}
              onClick={() =>
                void navigator.clipboard.writeText(address).then(
                  () => toast(t`Adresse copiée.`),
                  () => toast(t`La copie n'est pas possible ici : sélectionnez l'adresse.`),
                )
              }
            >
              {t`Copier`}
            </Button>
          </div>
        </Notice>
      ) : null}
      {make.error ? <ProblemNotice error={make.error} /> : null}
      <div className="rp-row">
        <Button variant="default" onClick={() => setMaking(true)}>
          {t`Nouvelle adresse privée…`}
        </Button>
        <Button variant="subtle" color="danger" onClick={() => setEnding(true)}>
          {t`Mettre fin à l'adresse…`}
        </Button>
      </div>
      <ConfirmDialog
        opened={making}
        title={t`Créer une adresse privée ?`}
        keep={t`Revenir`}
        confirm={t`Créer l'adresse`}
        tone="brand"
        busy={make.isPending}
        error={make.error}
        onConfirm={() => make.mutate()}
        onClose={() => setMaking(false)}
      >
        <p>{t`L'adresse créée auparavant pour ${name} ne fonctionnera plus.`}</p>
      </ConfirmDialog>
      <ConfirmDialog
        opened={ending}
        title={t`Mettre fin à cette adresse ?`}
        confirm={t`Mettre fin`}
        busy={revoke.isPending}
        error={revoke.error}
        onConfirm={() => revoke.mutate()}
        onClose={() => setEnding(false)}
      >
        <p>{t`L'agenda de ${name} ne sera plus mis à jour là où l'adresse est suivie.`}</p>
      </ConfirmDialog>
    </section>
  );
}
