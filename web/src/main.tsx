import "./trusted-types.ts";
import { i18n } from "@lingui/core";
import { I18nProvider } from "@lingui/react";
import { MantineProvider } from "@mantine/core";
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { setNonce } from "get-nonce";
import { StrictMode, useSyncExternalStore } from "react";
import { createRoot } from "react-dom/client";
import { keys, newQueryClient } from "./api/contract/cache.ts";
import { whenSignedInAgain, whenSignedOut } from "./api/contract/client.ts";
import { signedOut } from "./live/feed.ts";
import { setLanguage, storedLocale } from "./locales/language.ts";
import { newRouter } from "./routes.tsx";
import { cssVariablesResolver, theme } from "./theme.ts";
import "./styles/index.css";

// The gateway puts a fresh nonce in this element with each page (html.cspNonce in vite.config.ts).
const nonce = document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]')?.nonce ?? "";
if (nonce) setNonce(nonce);

const dark = window.matchMedia("(prefers-color-scheme: dark)");
document.documentElement.setAttribute("data-mantine-color-scheme", dark.matches ? "dark" : "light");

const client = newQueryClient();
const router = newRouter(client);
whenSignedOut(() => signedOut.set(true));
whenSignedInAgain(() => {
  signedOut.set(false);
  client.invalidateQueries({ queryKey: keys.session }, { cancelRefetch: false });
});

function subscribeLocale(listener: () => void): () => void {
  return i18n.on("change", listener);
}

/** Drawn again when the language changes: sentences are made where they stand. */
function App() {
  const locale = useSyncExternalStore(subscribeLocale, () => i18n.locale);
  return (
    <MantineProvider
      theme={theme}
      cssVariablesResolver={cssVariablesResolver}
      defaultColorScheme="auto"
      getStyleNonce={() => nonce}
    >
      <I18nProvider i18n={i18n}>
        <QueryClientProvider client={client}>
          <RouterProvider router={router} key={locale} />
        </QueryClientProvider>
      </I18nProvider>
    </MantineProvider>
  );
}

// No top-level await: other files import from this one, and one that is awaited here would wait for it.
setLanguage(storedLocale()).then(() => {
  const root = document.getElementById("root");
  if (!root) throw new Error("index.html has no #root");
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
});
