"""How records reach the journal."""

from observability.board import Board, Panel, Query, Row
from observability.boards.queries import leaders, quantiles

JOURNAL = Board(
    "resapermis-journal",
    "ResaPermis: journal",
    "How records come from each service into the tree, and how late.",
    (
        Row(
            "The tree",
            (
                Panel("Records", (Query("max(resapermis_journal_records)", "records"),), kind="stat"),
                Panel(
                    "Since the last checkpoint",
                    (Query("time() - max(resapermis_journal_checkpoint_timestamp_seconds)", "age"),),
                    kind="stat",
                    unit="s",
                    about="Long where nobody did anything.",
                ),
                Panel(
                    "Records taken in",
                    (Query("sum(rate(resapermis_journal_lag_seconds_count[$__rate_interval]))", "records"),),
                    unit="ops",
                ),
                Panel(
                    "From what happened to its checkpoint",
                    quantiles("resapermis_journal_lag_seconds", "", quantiles=(0.5, 0.99, 0.999)),
                    unit="s",
                ),
            ),
        ),
        Row(
            "On the way",
            (
                Panel("In outboxes", (Query(leaders("resapermis_outbox_backlog"), "{{service}}"),)),
                Panel(
                    "On the bus for audit",
                    (Query('sum by (source) (resapermis_bus_pending{consumer="audit"})', "{{source}}"),),
                ),
                Panel(
                    "Age when audit had it, p99",
                    quantiles("resapermis_event_age_seconds", "source", 'service="audit",stream="records"', (0.99,)),
                    unit="s",
                ),
                Panel(
                    "Rounds of integration",
                    (
                        Query(
                            'sum by (outcome) (rate(resapermis_leader_task_seconds_count{service="audit",task="integrate"}[$__rate_interval]))',
                            "{{outcome}}",
                        ),
                    ),
                    unit="ops",
                ),
            ),
        ),
        Row(
            "Lost and found",
            (
                Panel(
                    "Asked for again",
                    (
                        Query(
                            "sum by (service, source) (increase(resapermis_bus_gaps_total[$__range]))",
                            "{{service}} ← {{source}}",
                        ),
                    ),
                    kind="stat",
                    about="What the bus lost and the source repeated; at each start a service asks for what it missed.",
                ),
                Panel(
                    "Set aside",
                    (Query("sum(increase(resapermis_dead_letters_total[$__range])) or vector(0)", "dead letters"),),
                    kind="stat",
                ),
                Panel(
                    "Refusals of access",
                    (Query("sum(rate(resapermis_access_denied_total[$__rate_interval]))", "refused"),),
                    unit="ops",
                    about="Each is counted here and in the journal (ADR 35).",
                ),
            ),
        ),
        Row(
            "Error budget",
            (
                Panel(
                    "How fast the error budget burns",
                    (
                        Query('resapermis:slo_burn_rate:1h{slo="journal-lag"}', "1 h"),
                        Query('resapermis:slo_burn_rate:5m{slo="journal-lag"}', "5 min"),
                    ),
                ),
            ),
        ),
    ),
)
