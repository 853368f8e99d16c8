/**
 * Reads a calendar file: only its busy hours are kept, and what was left out is named. A new file replaces the last; where
 * that would lose something, a person decides first.
 */

import { plural, t } from "@lingui/core/macro";
import { Button, FileButton } from "@mantine/core";
import { IconUpload } from "@tabler/icons-react";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { importCalendar } from "../../api/availability.ts";
import { keys } from "../../api/contract/cache.ts";
import type { ImportReport, LostEvent, Subject } from "../../api/contract/types.ts";
import { useAct } from "../../live/act.ts";
import { announce } from "../../live/announce.ts";
import { dayOf, hour, isDay } from "../../time/calendar.ts";
import { dayDate } from "../../time/format.ts";
import { Notice, ProblemNotice } from "../Notice.tsx";

/** Why something is left out that may well make somebody busy. */
const LOSSES = new Set(["unreadable", "too_many", "not_read"]);
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
      return plural(count, { one: "# événement répété trop souvent", other: "# événements répétés trop souvent" });
    case "not_read":
      return plural(count, {
        one: "# partie du fichier qui n'est pas lue",
        other: "# parties du fichier qui ne sont pas lues",
      });
    default:
      return `${count} ${reason}`;
  }
}

/** "5 janvier 2027 à 09:00, répété : illisible". Its title is not known here. */
export function lostText({ starts, repeats, why }: LostEvent): string {
  const day = dayOf(starts ?? "");
  const from = isDay(day) ? (starts === day ? dayDate(day) : t`${dayDate(day)} à ${hour(starts ?? "")}`) : t`sans date`;
  const what = repeats ? t`${from}, répété` : from;
  return why === "too_many" ? t`${what} : trop de répétitions` : t`${what} : illisible`;
}

interface Import {
  calendar: string;
  despiteLosses: boolean;
}

export function ImportForm({ subject, name }: { subject: Subject; name: string }) {
  const client = useQueryClient();
  const read = useAct(({ calendar, despiteLosses }: Import) => importCalendar(subject, calendar, despiteLosses), {
    onSuccess: ({ needsConfirmation }) =>
      announce(
        needsConfirmation ? t`Rien n'a changé. Une décision est à prendre.` : t`L'agenda de ${name} est importé.`,
      ),
    onSettled: () => client.invalidateQueries({ queryKey: keys.unavailabilities }),
  });
  const [tooLarge, setTooLarge] = useState(false);
  const open = async (file: File) => {
    read.reset();
    setTooLarge(file.size > LARGEST);
    if (file.size <= LARGEST) read.mutate({ calendar: await file.text(), despiteLosses: false });
  };
  return (
    <div className="rp-stack rp-stack--tight">
      <div className="rp-row">
        <FileButton
          accept=".ics,text/calendar"
          onChange={(file) => {
            if (file && !read.isPending) void open(file);
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
      {tooLarge ? (
        <Notice level="danger" alert>
          <p>{t`Ce fichier dépasse 1 Mo. Exportez une période plus courte.`}</p>
        </Notice>
      ) : read.error ? (
        <ProblemNotice error={read.error} />
      ) : null}
      {read.data?.needsConfirmation ? (
        <Decision
          report={read.data}
          onReplace={() =>
            read.variables ? read.mutate({ calendar: read.variables.calendar, despiteLosses: true }) : undefined
          }
          onKeep={() => read.reset()}
        />
      ) : read.data ? (
        <Report report={read.data} />
      ) : null}
    </div>
  );
}

/** Nothing is changed yet: what the new file would bring, what would be lost, and the two ways on. */
function Decision({ report, onReplace, onKeep }: { report: ImportReport; onReplace: () => void; onKeep: () => void }) {
  const losses = Object.entries(report.leftOut).filter(([reason, count]) => LOSSES.has(reason) && count > 0);
  const named = report.lost.length;
  const more = losses.reduce((sum, [reason, count]) => (reason === "not_read" ? sum : sum + count), 0) - named;
  return (
    <Notice level="warning" alert>
      <p>
        {t`Rien n'a changé : l'agenda importé auparavant est toujours là.`}{" "}
        {plural(report.wouldKeep, {
          0: "Ce fichier n'apporte aucune plage occupée.",
          one: "Ce fichier apporte # plage occupée.",
          other: "Ce fichier apporte # plages occupées.",
        })}{" "}
        {losses.length > 0
          ? t`Seraient perdus : ${losses.map(([reason, count]) => leftOutText(reason, count)).join(", ")}.`
          : null}
      </p>
      {named > 0 ? (
        <ul>
          {report.lost.map((one, place) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: the list never changes, and two may read alike
            <li key={place}>{lostText(one)}</li>
          ))}
          {more > 0 ? <li>{plural(more, { one: "et # autre", other: "et # autres" })}</li> : null}
        </ul>
      ) : null}
      <div className="rp-row">
        <Button variant="default" onClick={onKeep}>{t`Garder l'agenda actuel`}</Button>
        <Button variant="default" onClick={onReplace}>{t`Remplacer quand même`}</Button>
      </div>
    </Notice>
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
          ? t`Non repris : ${left.map(([reason, count]) => leftOutText(reason, count)).join(", ")}.`
          : null}
      </p>
    </Notice>
  );
}
