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
          {t`ResaPermis cherche, retient et valide des créneaux pour votre école auprès de RdvPermis. Chaque réservation reste la décision d'une personne.`}
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
            <p>{t`Chaque créneau indique s'il vous est ouvert, sinon pourquoi et à partir de quand, et de quand date l'information.`}</p>
          </li>
          <li>
            <IconListCheck size={24} aria-hidden />
            <p>{t`Jusqu'à quatre créneaux en un clic, un résultat pour chacun, jamais annoncé avant la réponse de RdvPermis.`}</p>
          </li>
          <li>
            <IconShieldCheck size={24} aria-hidden />
            <p>{t`Chaque action est inscrite dans un journal que vous pouvez vérifier vous-même.`}</p>
          </li>
        </ol>
      </main>
      <footer>{t`Service privé, distinct de RdvPermis.`}</footer>
    </div>
  );
}
