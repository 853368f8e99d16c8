/** Why an identity was refused, and the way on: what was typed is kept, and whose NEPH it is can be seen. */
import { t } from "@lingui/core/macro";
import { Link } from "@tanstack/react-router";
import { Problem } from "../../api/contract/problem.ts";
import { ProblemNotice } from "../../components/Notice.tsx";

export function IdentityProblem({ error }: { error: unknown }) {
  if (!error) return null;
  const known = error instanceof Problem && error.code === "NEPH_KNOWN" ? error.objectId : null;
  return (
    <ProblemNotice error={error}>
      <p>
        {t`Ce que vous avez écrit est gardé.`}{" "}
        {known ? (
          <Link to="/candidats/$id" params={{ id: known }}>
            {t`Voir la fiche qui a ce NEPH`}
          </Link>
        ) : null}
      </p>
    </ProblemNotice>
  );
}
