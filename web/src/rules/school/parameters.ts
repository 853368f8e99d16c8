/** The parameters of the rules in words, with their unit; one that this page does not know keeps its own name. */
import { plural, t } from "@lingui/core/macro";
import type { Parameter } from "../../api/contract/types.ts";
import { figure } from "../figures.ts";

export function parameterName(name: string): string {
  switch (name) {
    case "territory_hours":
      return t`Priorité des écoles du département`;
    case "threshold_rate":
      return t`Créneaux par formateur à temps plein et par mois`;
    case "pace_first_percent":
      return t`Part du seuil qui peut être prise le 1er du mois`;
    case "pace_full_day":
      return t`Jour où tout le seuil peut être pris`;
    case "basket":
      return t`Lignes d'un panier`;
    case "group":
      return t`Créneaux par demande`;
    case "hold_ttl_seconds":
      return t`Délai du panier`;
    case "notice_seconds":
      return t`Délai avant l'examen pour retenir ou remplacer`;
    case "warn_percent":
      return t`Part du seuil à partir de laquelle un message vous prévient`;
    case "poll_stale_seconds":
      return t`Âge à partir duquel un créneau est vérifié de nouveau`;
    case "publication_minutes":
      return t`Heure de mise en ligne des créneaux`;
    case "publication_weekday":
      return t`Jour de mise en ligne des créneaux`;
    case "replacements":
      return t`Remplacements par mois`;
    case "plateau":
      return t`Plateau réussi avant la circulation`;
    case "eligibility_fresh_seconds":
      return t`Durée de validité de l'avis de RdvPermis`;
    case "absence_days":
      return t`Pénalité après une absence`;
    case "late_cancel_days":
      return t`Annulation tardive : jours avant l'examen`;
    case "late_cancel_restriction_days":
      return t`Pénalité après une annulation tardive`;
    case "pass_points":
      return t`Points pour réussir, sur 31`;
    case "failure_17_days":
      return t`Pénalité après un échec, 17 points et plus`;
    case "failure_14_days":
      return t`Pénalité après un échec, 14 à 16 points`;
    case "failure_10_days":
      return t`Pénalité après un échec, 10 à 13 points`;
    case "failure_5_days":
      return t`Pénalité après un échec, 5 à 9 points`;
    case "failure_0_days":
      return t`Pénalité après un échec, moins de 5 points ou faute éliminatoire`;
    case "result_hours":
      return t`Attente d'un résultat`;
    case "exam_minutes":
      return t`Durée d'un examen`;
    case "available_margin_minutes":
      return t`Temps libre gardé avant et après un examen`;
    case "travel_kmh":
      return t`Vitesse estimée des trajets`;
    case "travel_detour":
      return t`Distance par la route, rapportée au vol d'oiseau`;
    default:
      return name;
  }
}

/** "48 h", "60 %", "15 min". */
export function parameterValue({ name, value }: Pick<Parameter, "name" | "value">): string {
  const number = Number(value);
  const shown = figure(number);
  if (name === "publication_minutes") {
    const two = (part: number) => String(part).padStart(2, "0");
    return `${two(Math.floor(number / 60))}:${two(number % 60)}`;
  }
  if (name === "publication_weekday" && number === 0) return t`tous les jours`;
  if (name === "plateau") return number === 1 ? t`oui` : t`non`;
  if (name.endsWith("_seconds")) {
    return number % 60 === 0 && number > 0
      ? plural(number / 60, { one: "# minute", other: "# minutes" })
      : plural(number, { one: "# seconde", other: "# secondes" });
  }
  if (name.endsWith("_minutes")) return plural(number, { one: "# minute", other: "# minutes" });
  if (name.endsWith("_hours")) return plural(number, { one: "# heure", other: "# heures" });
  if (name.endsWith("_days")) return plural(number, { one: "# jour", other: "# jours" });
  if (name.endsWith("_percent")) return `${shown} %`;
  if (name === "travel_kmh") return t`${shown} km/h`;
  return shown;
}

/** What a coming value takes the place of: the same place's, else the wider ones'. */
export function replacedBy(coming: Parameter, known: readonly Parameter[]): Parameter | undefined {
  const same = known.filter((one) => one.name === coming.name);
  return (
    same.find((one) => one.department === coming.department && one.category === coming.category) ??
    same.find((one) => one.department === coming.department && one.category === null) ??
    same.find((one) => one.department === null && one.category === coming.category) ??
    same.find((one) => one.department === null && one.category === null)
  );
}
