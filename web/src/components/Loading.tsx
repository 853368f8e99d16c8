/** Three states of a read: a skeleton that keeps the layout (after 300 ms), an error that keeps the page, an empty state that explains why. */

import { t } from "@lingui/core/macro";
import { Button, Skeleton } from "@mantine/core";
import { IconInbox } from "@tabler/icons-react";
import { type ReactNode, useEffect, useState } from "react";
import { ProblemNotice } from "./Notice.tsx";

const PATIENCE = 300;

export function Loading({ rows = 4, height = 44 }: { rows?: number; height?: number }) {
  const [shown, setShown] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setShown(true), PATIENCE);
    return () => clearTimeout(timer);
  }, []);
  const look = { visibility: shown ? "visible" : "hidden" } as const;
  return (
    <div className="rp-stack rp-stack--tight" aria-busy="true">
      <span className="rp-visually-hidden">{shown ? t`Chargement…` : ""}</span>
      {Array.from({ length: rows }, (_, index) => (
        // The rows are alike and never reordered: their place is their identity.
        // biome-ignore lint/suspicious/noArrayIndexKey: see above
        <Skeleton key={index} height={height} radius="md" visible animate={shown} style={look} />
      ))}
    </div>
  );
}

interface Readable<T> {
  data: T | undefined;
  error: Error | null;
  isPending: boolean;
  isFetching: boolean;
  refetch: (options: { cancelRefetch: boolean }) => unknown;
}

/** Draws a query: old data stay on screen under an error. */
export function Loaded<T>({
  query,
  rows,
  height,
  children,
}: {
  query: Readable<T>;
  rows?: number;
  height?: number;
  children: (data: T) => ReactNode;
}) {
  return (
    <>
      {query.error ? (
        <ProblemNotice error={query.error}>
          <div>
            <Button
              variant="default"
              onClick={() => query.refetch({ cancelRefetch: false })}
              aria-disabled={query.isFetching || undefined}
            >
              {t`Actualiser`}
            </Button>
          </div>
        </ProblemNotice>
      ) : null}
      {query.data !== undefined ? children(query.data) : null}
      {query.isPending && !query.error ? <Loading {...(rows ? { rows } : {})} {...(height ? { height } : {})} /> : null}
    </>
  );
}

export function Empty({ title, children, action }: { title: string; children: ReactNode; action?: ReactNode }) {
  return (
    <div className="rp-empty">
      <IconInbox size={32} stroke={1.5} aria-hidden />
      <h2>{title}</h2>
      <p>{children}</p>
      {action}
    </div>
  );
}
