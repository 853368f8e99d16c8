import { i18n } from "@lingui/core";
import { UnstyledButton } from "@mantine/core";
import { IconLanguage } from "@tabler/icons-react";
import { setLanguage } from "../../locales/language.ts";

/** Each language is offered in itself. */
export function LanguageSwitch({ className = "rp-tool" }: { className?: string }) {
  const other = i18n.locale === "fr" ? "en" : "fr";
  return (
    <UnstyledButton className={className} lang={other} onClick={() => void setLanguage(other)}>
      <IconLanguage size={20} aria-hidden />
      {other === "en" ? "English" : "Français"}
    </UnstyledButton>
  );
}
