/** What others feel is confirmed first: the dialog names person, slot and consequence; focus stands on "Garder" (rule 9). */

import { t } from "@lingui/core/macro";
import { Button, Modal } from "@mantine/core";
import type { ReactNode } from "react";
import { ActionButton } from "./ActionButton.tsx";
import { ProblemNotice } from "./Notice.tsx";

export function ConfirmDialog({
  opened,
  title,
  children,
  keep,
  confirm,
  tone = "danger",
  busy,
  blocked,
  error,
  onConfirm,
  onClose,
}: {
  opened: boolean;
  title: string;
  children: ReactNode;
  keep?: string;
  confirm: string;
  tone?: "danger" | "brand";
  busy: boolean;
  blocked?: string | undefined;
  error?: unknown;
  onConfirm: () => void;
  onClose: () => void;
}) {
  return (
    <Modal opened={opened} onClose={onClose} title={title} closeButtonProps={{ "aria-label": t`Fermer` }}>
      <div className="rp-stack">
        {children}
        {error ? <ProblemNotice error={error} /> : null}
        <div className="rp-row rp-row--end">
          <Button variant="default" onClick={onClose} data-autofocus>
            {keep ?? t`Garder`}
          </Button>
          <ActionButton color={tone} main={tone === "brand"} busy={busy} blocked={blocked} onAct={onConfirm}>
            {confirm}
          </ActionButton>
        </div>
      </div>
    </Modal>
  );
}
