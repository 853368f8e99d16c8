import { t } from "@lingui/core/macro";
import { Link } from "@tanstack/react-router";
import type { CandidateName } from "../../api/contract/types.ts";

/** A candidate by full name, wherever one is named: it leads to their page. */
export function CandidateLink({ candidate }: { candidate: CandidateName | null | undefined }) {
  if (!candidate) return <>{t`candidat inconnu`}</>;
  return (
    <Link to="/candidats/$id" params={{ id: candidate.id }}>
      {candidate.displayName}
    </Link>
  );
}
