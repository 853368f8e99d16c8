"""What must hold of lines, counters and prepared baskets, whatever was asked at once: queries of what breaks it.

`ALWAYS` and `IN_TIME` read every line there ever was and trust no index and no counter, so that a lost constraint shows:
`resapermisctl invariants` asks them with every row read in sequence, basket itself once a day (`EVER`). `LATELY` are the
same questions of live lines and of the months that still count, which basket asks every minute: what they cost grows
with what is going on, not with the past. They are in `invariants.sql`.
"""

from collections.abc import Mapping

from resapermis_kit.database.sql_file import sql_file

_SQL = sql_file("resapermis_basket", "invariants.sql")
_LATELY, _IN_TIME = "lately_", "in_time_"
_OF_PREPARED = "person_has_one_prepared_basket"
ALWAYS: Mapping[str, str] = {name: text for name, text in _SQL.items() if not name.startswith((_LATELY, _IN_TIME))}
"""True in every snapshot."""
EVER: Mapping[str, str] = {f"{name}_ever": question for name, question in ALWAYS.items()}
"""The same under names of their own, so that what is found by night is not overwritten a minute later."""
LATELY: Mapping[str, str] = {
    **{name.removeprefix(_LATELY): text for name, text in _SQL.items() if name.startswith(_LATELY)},
    _OF_PREPARED: _SQL[_OF_PREPARED],
}
"""True in every snapshot, asked of schools with a live line."""
IN_TIME: Mapping[str, str] = {
    name.removeprefix(_IN_TIME): text for name, text in _SQL.items() if name.startswith(_IN_TIME)
}
"""True while basket and its peers work; what breaks these has waited longer than any wait that is ours."""
