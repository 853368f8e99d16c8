/**
 * What a person does goes out through here, and once: an act that is under way is not sent again (two clicks at once are one). One
 * human act = one Idempotency-Key (rule 5), kept until an answer came, so that a repeat after a lost connection is the same act.
 */
// biome-ignore lint/style/noRestrictedImports: the one place
import { useMutation } from "@tanstack/react-query";
import { useCallback, useRef } from "react";
import { Problem } from "../api/contract/problem.ts";

interface Pending {
  readonly digest: string;
  readonly key: string;
}

/** An answer that settles nothing: the same key must be used again. */
function unsettled(error: unknown): boolean {
  return error instanceof Problem && (error.lost || error.code === "IN_PROGRESS" || error.status >= 500);
}

/** What an act is about: the same again is the same act. */
function digestOf(variables: unknown): string {
  return JSON.stringify(variables) ?? "";
}

export function useAct<V = void, R = unknown>(
  run: (variables: V, idempotencyKey: string) => Promise<R>,
  options: {
    /** Acts of one subject are sent one after the other: the next when the last was answered, and what it changed read again. */
    subject?: string;
    /** Shows at once what is ours alone (rule 1); what it gives takes that back when the act is refused. */
    ahead?: (variables: V) => Promise<() => void>;
    onSuccess?: (result: R, variables: V) => void;
    onSettled?: () => unknown;
  } = {},
) {
  const { subject, ahead, onSuccess, onSettled } = options;
  const pending = useRef<Pending | undefined>(undefined);
  // Known at the press itself: what the page shows of it comes a moment later.
  const underWay = useRef<string[]>([]);
  const mutation = useMutation<R, Error, V, (() => void) | undefined>({
    mutationFn: async (variables) => {
      const digest = digestOf(variables);
      if (pending.current?.digest !== digest) pending.current = { digest, key: crypto.randomUUID() };
      try {
        const result = await run(variables, pending.current.key);
        pending.current = undefined;
        return result;
      } catch (error) {
        if (!unsettled(error)) pending.current = undefined;
        throw error;
      }
    },
    ...(subject ? { scope: { id: subject } } : {}),
    ...(ahead ? { onMutate: ahead } : {}),
    ...(onSuccess ? { onSuccess } : {}),
    onError: (_error, _variables, takeBack) => takeBack?.(),
    onSettled: async (_result, _error, variables) => {
      try {
        await onSettled?.();
      } finally {
        underWay.current.splice(underWay.current.indexOf(digestOf(variables)), 1);
      }
    },
  });
  const { mutate } = mutation;
  const once = useCallback<typeof mutate>(
    (...act) => {
      const digest = digestOf(act[0]);
      // In a queue, back to what was before the last is an act of its own.
      if (subject ? underWay.current.at(-1) === digest : underWay.current.includes(digest)) return;
      underWay.current.push(digest);
      mutate(...act);
    },
    [mutate, subject],
  );
  return { ...mutation, mutate: once };
}
