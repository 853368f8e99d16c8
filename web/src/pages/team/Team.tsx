/** The school as its administrator keeps it: trainers, vehicles, hours, licence, and who is free when. */
import { t } from "@lingui/core/macro";
import { Tabs } from "@mantine/core";
import { getRouteApi } from "@tanstack/react-router";
import { useSession } from "../../api/session.ts";
import { PageTitle } from "../../components/PageTitle.tsx";
import { AvailabilityTab } from "./AvailabilityTab.tsx";
import { HoursTab } from "./HoursTab.tsx";
import { LicenceTab } from "./LicenceTab.tsx";
import { Trainers } from "./Trainers.tsx";
import { Vehicles } from "./Vehicles.tsx";
import "./team.css";

const route = getRouteApi("/equipe");

export function Team() {
  const { onglet } = route.useSearch();
  const navigate = route.useNavigate();
  const session = useSession();
  const mayEdit = session.roles.includes("school_admin");
  const tab = onglet ?? "formateurs";
  return (
    <div className="rp-stack">
      <PageTitle>{t`Équipe`}</PageTitle>
      {mayEdit ? null : (
        <p className="rp-muted">{t`L'administrateur de l'école gère les formateurs, les véhicules et l'agrément. Vous déclarez les heures et les indisponibilités.`}</p>
      )}
      <Tabs
        value={tab}
        onChange={(value) =>
          void navigate({
            search:
              value === "vehicules" || value === "heures" || value === "agrement" || value === "disponibilites"
                ? { onglet: value }
                : {},
          })
        }
      >
        <Tabs.List>
          <Tabs.Tab value="formateurs">{t`Formateurs`}</Tabs.Tab>
          <Tabs.Tab value="vehicules">{t`Véhicules`}</Tabs.Tab>
          <Tabs.Tab value="heures">{t`Heures`}</Tabs.Tab>
          <Tabs.Tab value="disponibilites">{t`Indisponibilités`}</Tabs.Tab>
          <Tabs.Tab value="agrement">{t`Agrément`}</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="formateurs">{tab === "formateurs" ? <Trainers mayEdit={mayEdit} /> : null}</Tabs.Panel>
        <Tabs.Panel value="vehicules">{tab === "vehicules" ? <Vehicles mayEdit={mayEdit} /> : null}</Tabs.Panel>
        <Tabs.Panel value="heures">{tab === "heures" ? <HoursTab /> : null}</Tabs.Panel>
        <Tabs.Panel value="disponibilites">{tab === "disponibilites" ? <AvailabilityTab /> : null}</Tabs.Panel>
        <Tabs.Panel value="agrement">{tab === "agrement" ? <LicenceTab mayEdit={mayEdit} /> : null}</Tabs.Panel>
      </Tabs>
    </div>
  );
}
