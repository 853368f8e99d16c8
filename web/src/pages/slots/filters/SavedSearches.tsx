/** Searches kept under a name of one's own; an alert notifies when a slot matches. Nothing is ever booked by it. */
import { plural, t } from "@lingui/core/macro";
import { ActionIcon, Button, Checkbox, TextInput } from "@mantine/core";
import { IconBell, IconBookmark, IconTrash } from "@tabler/icons-react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type FormEvent, lazy, useState } from "react";
import { keys } from "../../../api/contract/cache.ts";
import type { SavedQuestion, SavedSearch } from "../../../api/contract/types.ts";
import { deleteSavedSearch, saveSearch, searchesQuery } from "../../../api/searches.ts";
import { Later } from "../../../components/Later.tsx";
import { ProblemNotice } from "../../../components/Notice.tsx";
import { useAct } from "../../../live/act.ts";
import { useDraft } from "../../../live/draft.ts";
import { toast } from "../../../live/toast.ts";
import { departmentName } from "../../../rules/departments.ts";
import { type Filters, questionOf, searchOf } from "../../../rules/search/filters.ts";
import { instantShort } from "../../../time/format.ts";

const Dialog = lazy(() => import("../../../components/Dialog.tsx").then((code) => ({ default: code.Dialog })));

interface NewSearch {
  label: string;
  search: SavedQuestion;
  alert: boolean;
}

function useSave() {
  const client = useQueryClient();
  return useAct((body: NewSearch, key: string) => saveSearch(body, key), {
    onSettled: () => client.invalidateQueries({ queryKey: keys.searches }),
  });
}

export function SavedSearches({ filters }: { filters: Filters }) {
  const query = useQuery(searchesQuery);
  const [saving, setSaving] = useState(false);
  const searches = query.data?.items ?? [];
  return (
    <div className="rp-row rp-searches">
      <Button
        variant="subtle"
        size="compact-sm"
        leftSection={<IconBookmark size={16} aria-hidden />}
        onClick={() => setSaving(true)}
      >
        {t`Garder cette recherche`}
      </Button>
      {searches.length > 0 ? (
        <details className="rp-folded">
          <summary>{plural(searches.length, { one: "# recherche gardée", other: "# recherches gardées" })}</summary>
          <ul className="rp-plain-list">
            {searches.map((search) => (
              <SearchRow key={search.id} search={search} />
            ))}
          </ul>
        </details>
      ) : null}
      <Later now={saving}>
        <Dialog
          opened={saving}
          onClose={() => setSaving(false)}
          title={t`Garder cette recherche`}
          closeButtonProps={{ "aria-label": t`Fermer` }}
        >
          {saving ? <SaveForm filters={filters} onDone={() => setSaving(false)} /> : null}
        </Dialog>
      </Later>
    </div>
  );
}

function SearchRow({ search }: { search: SavedSearch }) {
  const client = useQueryClient();
  const again = useSave();
  const forget = useAct(() => deleteSavedSearch(search.id), {
    onSuccess: () =>
      toast(t`« ${search.label} » est supprimée.`, () =>
        again.mutate({ label: search.label, search: search.search, alert: search.alert }),
      ),
    onSettled: () => client.invalidateQueries({ queryKey: keys.searches }),
  });
  const matched = search.matchedAt ? instantShort(search.matchedAt) : "";
  return (
    <li className="rp-row">
      <Link to="/creneaux" search={searchOf(search.search)}>
        {search.label}
      </Link>
      <span className="rp-small rp-muted">
        {search.search.department ? departmentName(search.search.department) : t`autour de l'école`},{" "}
        {search.search.category}
        {search.matchedAt ? `, ${t`dernier créneau trouvé le ${matched}`}` : null}
      </span>
      {search.alert ? (
        <span className="rp-small rp-row">
          <IconBell size={16} aria-hidden /> {t`alerte`}
        </span>
      ) : null}
      <ActionIcon
        variant="subtle"
        color="danger"
        size="lg"
        aria-label={t`Supprimer « ${search.label} »`}
        onClick={() => forget.isPending || forget.mutate()}
      >
        <IconTrash size={18} aria-hidden />
      </ActionIcon>
      {forget.error ? <ProblemNotice error={forget.error} /> : null}
    </li>
  );
}

function SaveForm({ filters, onDone }: { filters: Filters; onDone: () => void }) {
  const [fields, write, forget] = useDraft("saved-search", { label: "", alert: true });
  const { label, alert } = fields;
  const [asked, setAsked] = useState(false);
  const save = useSave();
  const close = () => {
    forget();
    onDone();
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setAsked(true);
    if (save.isPending || label.trim() === "") return;
    save.mutate(
      { label: label.trim(), search: questionOf(filters), alert },
      {
        onSuccess: () => {
          toast(t`Recherche gardée.`);
          close();
        },
      },
    );
  };
  return (
    <form className="rp-stack" onSubmit={submit} noValidate>
      <p>{t`La recherche garde le permis, le lieu, les jours et les heures, mais pas les dates : elle vaut pour tous les créneaux à venir.`}</p>
      <TextInput
        label={t`Nom de la recherche`}
        description={t`Personne d'autre ne le voit. N'y écrivez pas de nom de candidat.`}
        required
        maxLength={80}
        autoComplete="off"
        value={label}
        onChange={(event) => write({ ...fields, label: event.currentTarget.value })}
        error={asked && label.trim() === "" ? t`Indiquez un nom.` : undefined}
        data-autofocus
      />
      <Checkbox
        checked={alert}
        onChange={(event) => write({ ...fields, alert: event.currentTarget.checked })}
        label={t`M'avertir quand un créneau y répond`}
        description={t`Un message, rien d'autre : aucun créneau n'est retenu sans vous.`}
      />
      {save.error ? <ProblemNotice error={save.error} /> : null}
      <div className="rp-row rp-row--end">
        <Button variant="default" onClick={close}>
          {t`Abandonner`}
        </Button>
        <Button type="submit" aria-disabled={save.isPending || undefined} data-disabled={save.isPending || undefined}>
          {save.isPending ? t`Demande envoyée…` : t`Garder`}
        </Button>
      </div>
    </form>
  );
}
