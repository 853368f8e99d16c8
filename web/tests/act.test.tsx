import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { renderHook, waitFor } from "@testing-library/react";
import { createElement, type PropsWithChildren } from "react";
import { describe, expect, test } from "vitest";
import { useAct } from "../src/live/act.ts";

/** An act whose answers are given by hand; `sent` is what went out. */
function act(options: Parameters<typeof useAct<string, string>>[1] = {}) {
  const sent: string[] = [];
  const answers: PromiseWithResolvers<string>[] = [];
  const client = new QueryClient();
  const { result } = renderHook(
    () =>
      useAct((what: string) => {
        sent.push(what);
        const answer = Promise.withResolvers<string>();
        answers.push(answer);
        return answer.promise;
      }, options),
    { wrapper: ({ children }: PropsWithChildren) => createElement(QueryClientProvider, { client }, children) },
  );
  const press = (what: string) => result.current.mutate(what);
  return { sent, answers, press };
}

describe("two presses at once", () => {
  test("are one request, until it was answered and what it changed read again", async () => {
    const reread = Promise.withResolvers<void>();
    const { sent, answers, press } = act({ onSettled: () => reread.promise });
    press("cancel");
    press("cancel");
    await waitFor(() => expect(sent).toEqual(["cancel"]));
    answers[0]?.resolve("done");
    await answers[0]?.promise;
    press("cancel");
    expect(sent).toEqual(["cancel"]);
    reread.resolve();
    await waitFor(() => {
      press("cancel");
      expect(sent).toEqual(["cancel", "cancel"]);
    });
  });

  test("of two things are two requests", async () => {
    const { sent, press } = act();
    press("one");
    press("other");
    press("one");
    await waitFor(() => expect(sent).toEqual(["one", "other"]));
  });

  test("after a refusal the next press goes out", async () => {
    const { sent, answers, press } = act();
    press("cancel");
    await waitFor(() => expect(sent).toHaveLength(1));
    answers[0]?.reject(new Error("no"));
    await waitFor(() => {
      press("cancel");
      expect(sent).toHaveLength(2);
    });
  });

  test("in a queue, going back to what was before the last is an act of its own", async () => {
    const { sent, answers, press } = act({ subject: "line" });
    for (const what of ["her", "him", "him", "her"]) press(what);
    for (const count of [1, 2, 3]) {
      await waitFor(() => expect(sent).toHaveLength(count));
      answers[count - 1]?.resolve("done");
    }
    expect(sent).toEqual(["her", "him", "her"]);
  });
});

test("what is shown ahead is taken back when the act is refused", async () => {
  const shown: string[] = [];
  const { sent, answers, press } = act({
    ahead: async (what) => {
      shown.push(what);
      return () => void shown.push(`no ${what}`);
    },
  });
  press("read");
  await waitFor(() => expect(sent).toEqual(["read"]));
  answers[0]?.reject(new Error("no"));
  await waitFor(() => expect(shown).toEqual(["read", "no read"]));
});
