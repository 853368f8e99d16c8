"""Every rule, in the order in which verdicts are shown. The order changes no answer."""

from resapermis_scheduling_rules.rules.availability import available
from resapermis_scheduling_rules.rules.basket import basket, group, hold_ttl, replacements
from resapermis_scheduling_rules.rules.candidate import mandate, named, one_active
from resapermis_scheduling_rules.rules.category import category
from resapermis_scheduling_rules.rules.eligibility import eligibility
from resapermis_scheduling_rules.rules.penalty import penalty
from resapermis_scheduling_rules.rules.slot import notice, past, published
from resapermis_scheduling_rules.rules.territory import licensed, territory
from resapermis_scheduling_rules.rules.threshold import api_pace, threshold

SLOT_RULES = (published, past, notice, territory, licensed, threshold, api_pace)
CANDIDATE_RULES = (named, mandate, category, one_active, penalty, available, eligibility)
LINE_RULES = SLOT_RULES + CANDIDATE_RULES
ACTION_RULES = (group, basket, hold_ttl, replacements)
