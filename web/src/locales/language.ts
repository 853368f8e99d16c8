/** French first, English by a switch; the choice is kept on this device. */
import { i18n } from "@lingui/core";

export const LOCALES = ["fr", "en"] as const;
export type Locale = (typeof LOCALES)[number];

const STORED = "resapermis.locale";

const catalogs: Record<Locale, () => Promise<{ messages: Parameters<typeof i18n.load>[1] }>> = {
  fr: () => import("./fr.po"),
  en: () => import("./en.po"),
};

export function storedLocale(): Locale {
  return localStorage.getItem(STORED) === "en" ? "en" : "fr";
}

/** Loads the texts of a language and draws the page in it; the page's `lang` follows, this device remembers. */
export async function setLanguage(locale: Locale): Promise<void> {
  const { messages } = await catalogs[locale]();
  i18n.loadAndActivate({ locale, messages });
  document.documentElement.lang = locale;
  localStorage.setItem(STORED, locale);
}
