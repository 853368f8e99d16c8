/** Reads a calendar file: only its busy hours are kept, and what was left out is named. A new file replaces the last. */

import { plural, t } from "@lingui/core/macro";
import { Button, FileButton } from "@mantine/core";
import { IconUpload } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { importCalendar } from "../../api/availability.ts";
import { keys } from "../../api/contract/cache.ts";
import type { ImportReport, Subject } from "../../api/contract/types.ts";
import { announce } from "../../live/announce.ts";
import { Notice, ProblemNotice } from "../Notice.tsx";

/** The contract's largest file. */
const LARGEST = 1024 * 1024;

export function leftOutText(reason: string, count: number): string {
  switch (reason) {
    case "not_busy":
      return plural(count, { one: "# événement libre", other: "# événements libres" });
    case "past":
      return plural(count, { one: "# événement passé", other: "# événements passés" });
    case "unreadable":
      return plural(count, { one: "# événement illisible", other: "# événements illisibles" });
    case "too_many":
      return plural(count, { one: "# occurrence de trop", other: "# occurrences de trop" });
    default:
      return `${count} ${reason}`;
  }
}

export function ImportForm({ subject, name }: { subject: Subject; name: string }) {
  const client = useQueryClient();
  const read = useMutation({
    mutationFn: async (file: File) => {
      if (file.size > LARGEST) throw new RangeError("too large");
      return importCalendar(subject, await file.text());
    },
    onSuccess: () => announce(t`L'agenda de ${name} est lu.`),
    onSettled: () => client.invalidateQueries({ queryKey: keys.unavailabilities }),
  });
  return (
    <div className="rp-stack rp-stack--tight">
      <div className="rp-row">
        <FileButton
          accept=".ics,text/calendar"
          onChange={(file) => {
            if (file && !read.isPending) read.mutate(file);
          }}
          inputProps={{ "aria-label": t`Fichier d'agenda de ${name}` }}
        >
          {(props) => (
            <Button
              {...props}
              variant="default"
              leftSection={<IconUpload size={18} aria-hidden />}
              aria-disabled={read.isPending || undefined}
            >
              {read.isPending ? t`Lecture…` : t`Importer un agenda (.ics)`}
            </Button>
          )}
        </FileButton>
        <span className="rp-small rp-muted">
          {t`Seules les heures occupées sont gardées, sans titre ni lieu. Un nouveau fichier remplace le précédent.`}
        </span>
      </div>
      {read.error instanceof RangeError ? (
        <Notice level="danger" alert>
          <p>{t`Ce fichier dépasse 1 Mo. Exportez une période plus courte.`}</p>
        </Notice>
      ) : read.error ? (
        <ProblemNotice error={read.error} />
      ) : null}
      {read.data ? <Report report={read.data} /> : null}
    </div>
  );
}

function Report({ report }: { report: ImportReport }) {
  const left = Object.entries(report.leftOut).filter(([, count]) => count > 0);
  return (
    <Notice level={report.kept > 0 ? "success" : "warning"}>
      <p>
        {plural(report.kept, {
          0: "Aucune plage occupée n'a été gardée.",
          one: "# plage occupée est gardée.",
          other: "# plages occupées sont gardées.",
        })}{" "}
        {left.length > 0
          ? t`Laissés de côté : ${left.map(([reason, count]) => leftOutText(reason, count)).join(", ")}.`
          : null}
      </p>
    </Notice>
  );
}
