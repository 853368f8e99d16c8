"""Alembic environment."""

from resapermis_kit.database.metadata import KIT
from resapermis_kit.database.migration import run_migrations
from resapermis_scheduling_rules.availability import tables as availability
from resapermis_scheduling_rules.evaluation import tables as evaluation
from resapermis_scheduling_rules.mirror import tables as mirror
from resapermis_scheduling_rules.parameters import tables as parameters
from resapermis_scheduling_rules.school import tables as school
from resapermis_scheduling_rules.watchlist import tables as watchlist

run_migrations([KIT, *(room.metadata for room in (availability, evaluation, mirror, parameters, school, watchlist))])
