/** What somebody who is not an employee may do here today, and what not yet: no more is said than is so. */

import { t } from "@lingui/core/macro";
import { Link } from "@tanstack/react-router";
import type { Session } from "../../api/contract/types.ts";
import { Notice } from "../../components/Notice.tsx";
import { PageTitle } from "../../components/PageTitle.tsx";
import { departmentName } from "../../rules/departments.ts";
import { roleName } from "../../rules/people.ts";

export function PersonHome({ session }: { session: Session }) {
  const { roles, scope } = session;
  const role = roles.map(roleName).join(", ");
  const departments = scope.map(departmentName).join(", ");
  const keeps = roles.includes("platform_admin");
  const reads = roles.includes("security_officer") || roles.includes("auditor");
  return (
    <div className="rp-stack">
      <PageTitle>{t`Accueil`}</PageTitle>
      <p>
        {session.user.displayName}, {role}
        {departments ? t` pour : ${departments}` : null}
      </p>
      <section className="rp-card" aria-labelledby="aujourd-hui">
        <h2 id="aujourd-hui">{t`Ce que vous pouvez faire aujourd'hui`}</h2>
        <ul>
          {keeps ? (
            <li>
              <Link to="/admin">{t`Inviter des personnes, suspendre ou terminer leur accès`}</Link>
            </li>
          ) : null}
          {reads ? (
            <li>
              <Link
                to="/journal"
                search={{ journal: "securite" }}
              >{t`Lire le journal de la sécurité et vérifier ses preuves`}</Link>
            </li>
          ) : null}
          <li>
            <Link to="/compte">{t`Voir vos sessions ouvertes, et y mettre fin`}</Link>
          </li>
        </ul>
      </section>
      {keeps ? null : (
        <Notice level="info">
          <p>{t`Les autres pages de votre rôle n'existent pas encore. Votre compte ne montre aucune donnée d'école ni de candidat.`}</p>
        </Notice>
      )}
    </div>
  );
}
