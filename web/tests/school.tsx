/** Draws one page of the product in jsdom over a made-up school. Only time, the network and the user's input are replaced. */

import { i18n } from "@lingui/core";
import { I18nProvider } from "@lingui/react";
import { MantineProvider } from "@mantine/core";
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { render, screen } from "@testing-library/react";
import { setupServer } from "msw/node";
import { newQueryClient } from "../src/api/contract/cache.ts";
import { newRouter } from "../src/routes.tsx";
import { theme } from "../src/theme.ts";
import { handlers } from "./mock/handlers.ts";
import { makeWorld, type World } from "./mock/world.ts";

export interface Drawn {
  world: World;
  server: ReturnType<typeof setupServer>;
  client: ReturnType<typeof newQueryClient>;
}

/** Shows `path`; returns the school behind it, to be changed and inspected. `listen` sees each request. */
export async function draw(
  path: string,
  heading: string,
  world: World = makeWorld(),
  listen: (request: Request) => void = () => undefined,
): Promise<Drawn> {
  const server = setupServer(...handlers(world));
  server.events.on("request:start", ({ request }) => listen(request));
  server.listen({ onUnhandledFrame: "error" });
  window.history.replaceState(null, "", path);
  const client = newQueryClient();
  const router = newRouter(client);
  render(
    // Without its style sheet, which jsdom reads anew for each element whose style is asked for: looks are the browser tests'.
    <MantineProvider theme={theme} withCssVariables={false} withGlobalClasses={false} env="test">
      <I18nProvider i18n={i18n}>
        <QueryClientProvider client={client}>
          <RouterProvider router={router} />
        </QueryClientProvider>
      </I18nProvider>
    </MantineProvider>,
  );
  await screen.findByRole("heading", { level: 1, name: heading }, { timeout: 5000 });
  return { world, server, client };
}
