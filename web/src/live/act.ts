/** One human act = one Idempotency-Key (rule 5), kept until an answer came, so that a repeat after a lost connection is the same act. */
import { useMutation } from "@tanstack/react-query";
import { useRef } from "react";
import { Problem } from "../api/contract/problem.ts";

interface Pending {
  readonly digest: string;
  readonly key: string;
}

/** An answer that settles nothing: the same key must be used again. */
function unsettled(error: unknown): boolean {
  return error instanceof Problem && (error.lost || error.code === "IN_PROGRESS" || error.status >= 500);
}

export function useAct<V, R>(
  run: (variables: V, idempotencyKey: string) => Promise<R>,
  options: {
    /** Acts of one subject are sent one after the other: the next when the last was answered, and what it changed read again. */
    subject?: string;
    onSuccess?: (result: R, variables: V) => void;
    onSettled?: () => unknown;
  } = {},
) {
  const pending = useRef<Pending | undefined>(undefined);
  return useMutation<R, Error, V>({
    mutationFn: async (variables) => {
      const digest = JSON.stringify(variables);
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
    ...(options.subject ? { scope: { id: options.subject } } : {}),
    ...(options.onSuccess ? { onSuccess: options.onSuccess } : {}),
    ...(options.onSettled ? { onSettled: options.onSettled } : {}),
  });
}
