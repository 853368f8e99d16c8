"""One function a question or a change, each given a transaction. The constraints are the referees.

Order of locks, everywhere: the school's row that counts its basket (`lock_school`, or the first row `count` touches),
its other counters, then lines in slot order. So two acts of one school take turns, and two schools meet on slots only.
"""

from resapermis_basket.store.booked import Page, booked_with_exams, bookings
from resapermis_basket.store.claims import forget_request, now, was_asked
from resapermis_basket.store.counters import count, counted, lock_school, move_counts
from resapermis_basket.store.due import (
    BATCH,
    Heard,
    due_to_be_done,
    due_to_expire,
    due_to_give_back,
    due_to_look,
    forget_heard,
    hear,
    heard,
    held_of_candidate,
    held_on_slot,
    take_warnings,
)
from resapermis_basket.store.group_rows import Group, add_group, group, group_of_request, groups_by_id, lone_group
from resapermis_basket.store.judged import keep_judgements, pass_judgements
from resapermis_basket.store.line_rows import (
    Conflicts,
    add,
    again,
    conflicts,
    line,
    line_of,
    lines_where,
    live_groups,
    newest,
    of_groups,
    row,
    save,
)
from resapermis_basket.store.tables import ALIVE, MOMENT, groups, heard_table, lines, metadata, quota

__all__ = [
    "ALIVE",
    "BATCH",
    "MOMENT",
    "Conflicts",
    "Group",
    "Heard",
    "Page",
    "add",
    "add_group",
    "again",
    "booked_with_exams",
    "bookings",
    "conflicts",
    "count",
    "counted",
    "due_to_be_done",
    "due_to_expire",
    "due_to_give_back",
    "due_to_look",
    "forget_heard",
    "forget_request",
    "group",
    "group_of_request",
    "groups",
    "groups_by_id",
    "hear",
    "heard",
    "heard_table",
    "held_of_candidate",
    "held_on_slot",
    "keep_judgements",
    "line",
    "line_of",
    "lines",
    "lines_where",
    "live_groups",
    "lock_school",
    "lone_group",
    "metadata",
    "move_counts",
    "newest",
    "now",
    "of_groups",
    "pass_judgements",
    "quota",
    "row",
    "save",
    "take_warnings",
    "was_asked",
]
