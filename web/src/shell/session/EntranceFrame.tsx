/** Around whoever is let in: the brand, the language, one thing to do. */

import { t } from "@lingui/core/macro";
import type { ReactNode } from "react";
import { Brand } from "../brand/Brand.tsx";
import { LanguageSwitch } from "../brand/LanguageSwitch.tsx";

export function EntranceFrame({ children }: { children: ReactNode }) {
  return (
    <div className="rp-landing">
      <header>
        <span className="rp-brand">
          <Brand />
        </span>
        <LanguageSwitch />
      </header>
      <main>{children}</main>
      <footer>{t`Service privé, distinct de RdvPermis.`}</footer>
    </div>
  );
}
