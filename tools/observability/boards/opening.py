"""The hour in which slots go on line."""

from observability.board import Board, Panel, Query, Row
from observability.boards.queries import leaders, quantiles, rate

HOLDS = 'route="/api/v1/basket/items",method="POST"'
BURN = tuple(
    Query(f'resapermis:slo_burn_rate:{window}{{slo=~"hold-.*|answer-age|journal-lag"}}', f"{{{{slo}}}} {window}")
    for window in ("5m", "1h", "6h")
)

OPENING = Board(
    "resapermis-opening",
    "ResaPermis: opening hour",
    "Slots go on line, everybody holds: what they obtain, how fast, and where time goes.",
    (
        Row(
            "What people obtain",
            (
                Panel(
                    "Holds asked for",
                    (
                        Query(
                            f"sum by (status) (rate(resapermis_http_seconds_count{{{HOLDS}}}[$__rate_interval]))",
                            "{{status}}",
                        ),
                    ),
                    unit="reqps",
                ),
                Panel(
                    "Lines, by what became of them at once",
                    (rate("resapermis_hold_lines_total", "outcome"),),
                    unit="ops",
                ),
                Panel("Refused by a rule", (rate("resapermis_rule_refusals_total", "rule"),), unit="ops"),
                Panel(
                    "Lines that moved on",
                    (rate("resapermis_line_changes_total", "state"),),
                    unit="ops",
                    about="Booked, given back, expired, and so on.",
                ),
            ),
        ),
        Row(
            "A hold, step by step",
            (
                Panel("For the browser", quantiles("resapermis_http_seconds", "", HOLDS), unit="s"),
                Panel("Waiting for its batch", quantiles("resapermis_hold_queue_seconds", ""), unit="s"),
                Panel(
                    "Waiting for peers, p99",
                    quantiles("resapermis_basket_peer_seconds", "peer", quantiles=(0.99,)),
                    unit="s",
                ),
                Panel(
                    "RdvPermis itself, p99",
                    quantiles("resapermis_rdvpermis_seconds", "operation", quantiles=(0.99,)),
                    unit="s",
                ),
                Panel("Holds that wait", (Query("sum(resapermis_hold_queue_waiting)", "waiting"),)),
                Panel(
                    "Lines in doubt",
                    (Query(leaders("resapermis_basket_in_doubt"), "in doubt"),),
                    about="Asked at RdvPermis, answer not known yet.",
                ),
            ),
        ),
        Row(
            "What people see meanwhile",
            (
                Panel(
                    "Searches",
                    (
                        Query(
                            'sum by (code) (rate(resapermis_rpc_seconds_count{method="SchedulingService/SearchSlots"}[$__rate_interval]))',
                            "{{code}}",
                        ),
                    ),
                    unit="reqps",
                ),
                Panel(
                    "Age of the oldest slot on a first page",
                    quantiles("resapermis_search_age_seconds", "", quantiles=(0.5, 0.95)),
                    unit="s",
                ),
                Panel(
                    "Polls of RdvPermis",
                    (rate("resapermis_polls_total", "outcome"),),
                    unit="ops",
                    about="`seen`, or why they brought nothing.",
                ),
                Panel(
                    "Age of what polls replace, p95",
                    quantiles("resapermis_poll_age_seconds", "why", quantiles=(0.95,)),
                    unit="s",
                ),
                Panel(
                    "Fewest calls left to an employee",
                    (Query("min(resapermis_rdvpermis_budget_left)", "calls"),),
                    kind="stat",
                ),
            ),
        ),
        Row(
            "Error budgets",
            (
                Panel(
                    "How fast error budgets burn",
                    BURN,
                    about="1 uses a month's error budget up in a month (docs/slo.md).",
                ),
            ),
        ),
    ),
)
