import { t } from "@lingui/core/macro";
import { Link } from "@tanstack/react-router";
import { Empty } from "../components/Loading.tsx";
import { PageTitle } from "../components/PageTitle.tsx";

export function NotFound() {
  return (
    <div className="rp-stack">
      <PageTitle>{t`Page introuvable`}</PageTitle>
      <Empty title={t`Cette page n'existe pas`} action={<Link to="/">{t`Aller à l'accueil`}</Link>}>
        {t`Le lien est peut-être ancien ou incomplet.`}
      </Empty>
    </div>
  );
}
