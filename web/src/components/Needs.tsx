/** The rules that refuse, one line a reason: the sentence, what to do; the rules with their sources for those who ask. */
import { t } from "@lingui/core/macro";
import { Link } from "@tanstack/react-router";
import type { Need } from "../api/contract/types.ts";
import { needText, remedyText } from "../rules/answers/remedies.ts";
import { telling } from "../rules/answers/verdicts.ts";
import { Details, ruleDetails } from "./Notice.tsx";

export function Needs({ needs }: { needs: readonly Need[] }) {
  return (
    <>
      <ul className="rp-plain-list">
        {telling(needs).map((need) => (
          <li key={`${need.rule}/${JSON.stringify(need.facts)}`}>
            {needText(need)} <Remedy need={need} />
          </li>
        ))}
      </ul>
      {needs.length > 0 ? <Details items={needs.map(ruleDetails)} /> : null}
    </>
  );
}

function Remedy({ need }: { need: Need }) {
  const text = remedyText(need);
  if (!text) return null;
  switch (need.remedy) {
    case "ask_mandate":
      return <Link to="/candidats">{text}</Link>;
    case "declare_trainers":
      return (
        <Link to="/equipe" search={need.rule === "R-THRESHOLD" ? { onglet: "heures" } : {}}>
          {text}
        </Link>
      );
    case "renew_licence":
      return <Link to="/equipe">{text}</Link>;
    case "see_bookings":
      return <Link to="/reservations">{text}</Link>;
    case "see_basket":
    case "validate_or_release":
      return <Link to="/panier">{text}</Link>;
    case "choose_another_month":
      return <Link to="/seuils">{t`Choisissez un autre mois : consultez les seuils.`}</Link>;
    default:
      return <span>{text}</span>;
  }
}
