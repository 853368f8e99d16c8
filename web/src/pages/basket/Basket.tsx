/** The basket: one card a group (one action, one basket at RdvPermis), each with its own deadline and its own validation. */
import { plural, t } from "@lingui/core/macro";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { basketQuery } from "../../api/basket.ts";
import type { Basket, GroupOutcome } from "../../api/contract/types.ts";
import { Empty, Loaded } from "../../components/Loading.tsx";
import { PageTitle } from "../../components/PageTitle.tsx";
import { isLiving, namedIn } from "../../rules/lines.ts";
import { GroupCard } from "./GroupCard.tsx";
import { Validated } from "./Validated.tsx";
import "./basket.css";

export function BasketPage() {
  const query = useQuery(basketQuery);
  const [outcome, setOutcome] = useState<GroupOutcome>();
  return (
    <div className="rp-stack">
      <PageTitle>{t`Panier`}</PageTitle>
      {outcome ? <Validated outcome={outcome} /> : null}
      <Loaded query={query} rows={4} height={56}>
        {(basket) => <Groups basket={basket} onValidated={setOutcome} />}
      </Loaded>
    </div>
  );
}

function Groups({ basket, onValidated }: { basket: Basket; onValidated: (outcome: GroupOutcome) => void }) {
  const living = basket.groups.filter(isLiving);
  const ended = basket.groups.filter((group) => !isLiving(group));
  return (
    <>
      {living.length === 0 ? (
        <Empty title={t`Votre panier est vide`} action={<Link to="/creneaux">{t`Chercher des créneaux`}</Link>}>
          {t`Un créneau retenu y reste le temps que RdvPermis accorde, pour nommer le candidat et valider.`}
        </Empty>
      ) : (
        <Living basket={{ ...basket, groups: living }} onValidated={onValidated} />
      )}
      {ended.length > 0 ? (
        <>
          <p className="rp-muted">{t`Demandes terminées depuis moins d'une heure : rien n'en reste dans le panier.`}</p>
          {ended.map((group) => (
            <GroupCard key={group.id} group={group} named={[]} main={false} onValidated={onValidated} />
          ))}
        </>
      ) : null}
    </>
  );
}

function Living({ basket, onValidated }: { basket: Basket; onValidated: (outcome: GroupOutcome) => void }) {
  const used = basket.groups
    .flatMap((group) => group.lines)
    .filter((line) => ["asking", "held", "confirming"].includes(line.state)).length;
  const most = basket.limits.basket;
  const named = namedIn(basket.groups);
  return (
    <>
      <p className="rp-muted">
        {plural(used, { one: `# ligne sur ${most}.`, other: `# lignes sur ${most}.` })}{" "}
        {t`Au plus quatre créneaux par demande ; chaque demande est validée à part.`}
      </p>
      {basket.groups.map((group, index) => (
        <GroupCard key={group.id} group={group} named={named} main={index === 0} onValidated={onValidated} />
      ))}
    </>
  );
}
