/** Echoes of one's own small acts, for a few seconds (rule 11). */

import { t } from "@lingui/core/macro";
import { UnstyledButton } from "@mantine/core";
import { useStore } from "../../live/store.ts";
import { dropToast, toasts } from "../../live/toast.ts";

export function Toasts() {
  const shown = useStore(toasts);
  if (shown.length === 0) return null;
  return (
    <section className="rp-toasts" aria-label={t`Confirmations`}>
      {shown.map(({ id, text, undo }) => (
        <div key={id} className="rp-toast">
          <span>{text}</span>
          {undo ? (
            <UnstyledButton
              className="rp-tool"
              onClick={() => {
                undo();
                dropToast(id);
              }}
            >
              {t`Défaire`}
            </UnstyledButton>
          ) : null}
        </div>
      ))}
    </section>
  );
}
