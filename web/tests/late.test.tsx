import { i18n } from "@lingui/core";
import { I18nProvider } from "@lingui/react";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen, waitFor } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";
import { LATE_AFTER, watchedForLateness } from "../src/api/contract/late.ts";
import { Late } from "../src/shell/frame/Late.tsx";

afterEach(() => void vi.useRealTimers());

/** The frame's line while an answer is late; `client` holds who waits for it. */
function drawn() {
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const answer = Promise.withResolvers<string>();
  const watched = watchedForLateness(answer.promise);
  vi.advanceTimersByTime(LATE_AFTER);
  vi.useRealTimers();
  render(
    <I18nProvider i18n={i18n}>
      <QueryClientProvider client={client}>
        <Late />
      </QueryClientProvider>
    </I18nProvider>,
  );
  const said = () => screen.getByRole("status").textContent ?? "";
  return { client, answer, watched, said };
}

test("a late first reading is told; once there is something to look at, reading it again is not", async () => {
  const { client, answer, watched, said } = drawn();
  expect(said()).toBe("");
  void client.fetchQuery({ queryKey: ["first"], queryFn: () => watched });
  await waitFor(() => expect(said()).toMatch(/^La réponse se fait attendre/));
  client.setQueryData(["first"], "here");
  await waitFor(() => expect(said()).toBe(""));
  expect(client.isFetching()).toBe(1);
  answer.resolve("again");
  await watched;
});

test("a late act is told, until it is answered", async () => {
  const { client, answer, watched, said } = drawn();
  const act = client.getMutationCache().build(client, { mutationFn: () => watched });
  void act.execute(undefined);
  await waitFor(() => expect(said()).toMatch(/^La réponse se fait attendre/));
  answer.resolve("done");
  await waitFor(() => expect(said()).toBe(""));
});
