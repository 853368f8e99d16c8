/** The proof of one record, step by step: content → leaf → root → signature. */

import { t } from "@lingui/core/macro";
import { Button, Modal } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { AuditRecord } from "../../api/contract/types.ts";
import { checkpoint, inclusionProof } from "../../api/journal.ts";
import { type ProofResult, verifyInclusion } from "../../audit/merkle.ts";
import { Loading } from "../../components/Loading.tsx";
import { Notice, ProblemNotice } from "../../components/Notice.tsx";
import { StatusMark } from "../../components/StatusMark.tsx";
import { instantExact } from "../../time/format.ts";
import { actionText } from "./actions.ts";

interface Asked {
  /** From the list of what is about security. */
  security: boolean;
  onClose: () => void;
}

export function ProofDialog({ record, ...asked }: Asked & { record: AuditRecord | undefined }) {
  return (
    <Modal
      opened={record !== undefined}
      onClose={asked.onClose}
      title={record ? t`Preuve : ${actionText(record.action)}` : ""}
      closeButtonProps={{ "aria-label": t`Fermer` }}
    >
      {record ? <Body record={record} {...asked} /> : null}
    </Modal>
  );
}

function Body({ record, security, onClose }: Asked & { record: AuditRecord }) {
  const proof = useQuery({
    queryKey: ["audit", "proof", record.id],
    queryFn: async () => {
      const [claim, { verifierKey }] = await Promise.all([inclusionProof(record.id, security), checkpoint()]);
      return { claim, result: await verifyInclusion(claim, verifierKey) };
    },
    staleTime: 0,
    gcTime: 0,
  });
  return (
    <div className="rp-stack">
      <p className="rp-muted">
        {record.occurredAt ? <time dateTime={record.occurredAt}>{instantExact(record.occurredAt)}</time> : null}
      </p>
      {proof.error ? <ProblemNotice error={proof.error} /> : null}
      {proof.isPending && !proof.error ? <Loading rows={4} /> : null}
      {proof.data ? (
        <>
          <Notice level={proof.data.result.holds ? "success" : "danger"} alert={!proof.data.result.holds}>
            <p>
              {proof.data.result.holds
                ? t`La preuve tient : cet enregistrement est dans le journal signé, inchangé.`
                : t`La preuve ne tient pas. Gardez cette page et signalez-le à la sécurité.`}
            </p>
          </Notice>
          <Steps result={proof.data.result} />
          <dl className="rp-facts">
            <dt>{t`Place`}</dt>
            <dd>{t`enregistrement ${proof.data.claim.leafIndex + 1} sur ${proof.data.claim.treeSize}`}</dd>
            <dt>{t`Somme de contrôle recalculée`}</dt>
            <dd className="rp-mono">{proof.data.result.computedRoot ?? t`aucune`}</dd>
            <dt>{t`Somme de contrôle signée`}</dt>
            <dd className="rp-mono">{proof.data.result.expectedRoot ?? t`illisible`}</dd>
          </dl>
        </>
      ) : null}
      <div className="rp-row rp-row--end">
        <Button variant="default" onClick={onClose} data-autofocus>
          {t`Fermer`}
        </Button>
      </div>
    </div>
  );
}

function Steps({ result }: { result: ProofResult }) {
  const rows: [string, boolean | undefined, string][] = [
    [t`Le contenu est celui qui a été inscrit`, result.content, t`contenu effacé`],
    [t`La somme de contrôle est bien celle de cet enregistrement`, result.leaf, ""],
    [t`L'enregistrement fait partie du journal`, result.root, ""],
    [t`Le journal est signé par ResaPermis`, result.signature, t`ce navigateur ne permet pas la vérification`],
  ];
  return (
    <ol className="rp-plain-list">
      {rows.map(([text, holds, unknown]) => (
        <li key={text} className="rp-row">
          <StatusMark tone={holds === undefined ? "closed" : holds ? "booked" : "refused"}>
            {holds === undefined ? unknown : holds ? t`vrai` : t`faux`}
          </StatusMark>
          {text}
        </li>
      ))}
    </ol>
  );
}
