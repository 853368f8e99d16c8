/** For whoever is not signed in: what this is, and one button. */

import { t } from "@lingui/core/macro";
import { Button } from "@mantine/core";
import { IconCalendarSearch, IconListCheck, IconLogin2, IconShieldCheck } from "@tabler/icons-react";
import { useRouterState } from "@tanstack/react-router";
import { useEffect } from "react";
import { Brand } from "../brand/Brand.tsx";
import { LanguageSwitch } from "../brand/LanguageSwitch.tsx";
import { PasskeyEntrance } from "./PasskeyEntrance.tsx";

export function Landing() {
  const here = useRouterState({ select: (state) => state.location.href });
  useEffect(() => {
    document.title = "ResaPermis";
  }, []);
  const address = `/auth/login?returnTo=${encodeURIComponent(here)}`;
  return (
    <div className="rp-landing">
      <header>
        <span className="rp-brand">
          <Brand />
        </span>
        <LanguageSwitch />
      </header>
      <main>
        <h1>{t`Réservez les créneaux d'examen de vos élèves, sans surprise.`}</h1>
        <p className="rp-lead">
          {t`ResaPermis cherche, retient et valide pour votre école, par RdvPermis. Une personne décide de chaque réservation.`}
        </p>
        <div>
          <Button component="a" href={address} size="md" leftSection={<IconLogin2 size={20} aria-hidden />}>
            {t`Se connecter avec RdvPermis`}
          </Button>
        </div>
        <PasskeyEntrance returnTo={here} />
        <ol>
          <li>
            <IconCalendarSearch size={24} aria-hidden />
            <p>{t`Pour chaque créneau : l'âge de l'information, et s'il vous est ouvert ; sinon, pourquoi et à partir de quand.`}</p>
          </li>
          <li>
            <IconListCheck size={24} aria-hidden />
            <p>{t`Jusqu'à quatre créneaux d'un geste, un résultat par ligne, jamais annoncé avant RdvPermis.`}</p>
          </li>
          <li>
            <IconShieldCheck size={24} aria-hidden />
            <p>{t`Chaque acte est inscrit dans un journal que vous pouvez vérifier vous-même.`}</p>
          </li>
        </ol>
      </main>
      <footer>{t`Service privé, distinct de RdvPermis.`}</footer>
    </div>
  );
}
