/** Texts are French, as in the product. */
import { i18n } from "@lingui/core";
import { messages } from "../src/locales/fr.po";

i18n.loadAndActivate({ locale: "fr", messages });
