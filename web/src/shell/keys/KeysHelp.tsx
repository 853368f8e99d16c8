import { t } from "@lingui/core/macro";
import { Checkbox } from "@mantine/core";
import { Fragment } from "react";
import { Dialog } from "../../components/Dialog.tsx";
import { useStore } from "../../live/store.ts";
import { setSingleKeys, singleKeys } from "./shortcuts.ts";

export function KeysHelp({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const on = useStore(singleKeys);
  const rows: [string[], string][] = [
    [["/"], t`aller à la recherche ou aux filtres`],
    [["g", "c"], t`créneaux`],
    [["g", "p"], t`panier`],
    [["g", "r"], t`réservations`],
    [["g", "m"], t`messages`],
    [["Ctrl", "↵"], t`aller à l'action principale`],
    [["←", "↑", "→", "↓"], t`dans le calendrier : case voisine`],
    [["Début", "Fin"], t`premier et dernier jour de la ligne`],
    [["Page ↑", "Page ↓"], t`semaine d'avant, semaine d'après`],
    [[t`Espace`], t`choisir le créneau`],
    [["↵"], t`ouvrir le créneau`],
    [["Échap"], t`fermer`],
  ];
  return (
    <Dialog
      opened={opened}
      onClose={onClose}
      title={t`Raccourcis clavier`}
      closeButtonProps={{ "aria-label": t`Fermer` }}
    >
      <div className="rp-stack">
        <dl className="rp-facts">
          {rows.map(([keys, meaning]) => (
            <Fragment key={meaning}>
              <dt>
                {keys.map((key) => (
                  <kbd key={key} className="rp-kbd">
                    {key}
                  </kbd>
                ))}
              </dt>
              <dd>{meaning}</dd>
            </Fragment>
          ))}
        </dl>
        <Checkbox
          checked={on}
          onChange={(event) => setSingleKeys(event.currentTarget.checked)}
          label={t`Raccourcis à une touche ( / ? g ) actifs`}
        />
      </div>
    </Dialog>
  );
}
