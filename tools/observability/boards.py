"""What the dashboards show. Values alone: `grafana.py` makes Grafana's JSON of them."""

from collections.abc import Sequence

from observability.board import Board, Panel, Query, Row

SERVICE = 'service="$service"'


def _quantiles(name: str, by: str, selector: str = "", quantiles: Sequence[float] = (0.5, 0.99)) -> tuple[Query, ...]:
    """Quantiles of a histogram, by a label."""
    grouped = f"le, {by}" if by else "le"
    legend = f"{{{{{by}}}}} " if by else ""
    return tuple(
        Query(
            f"histogram_quantile({q}, sum by ({grouped}) (rate({name}_bucket{{{selector}}}[$__rate_interval])))",
            f"{legend}p{q * 100:g}",
        )
        for q in quantiles
    )


def _leaders(metric: str, by: str = "service") -> str:
    """A gauge that the leader sets, without what stands still in replicas that led before."""
    return f"max by ({by}) ({metric} and on (instance) resapermis_leader == 1)"


def _rate(counter: str, by: str, selector: str = "") -> Query:
    return Query(f"sum by ({by}) (rate({counter}{{{selector}}}[$__rate_interval]))", f"{{{{{by}}}}}")


HOLDS = 'route="/api/v1/basket/items",method="POST"'
ERRORS = 'code=~"UNSPECIFIED|OVERLOADED|UNAVAILABLE|DEADLINE|INTERNAL"'
_BURN = tuple(
    Query(f'resapermis:slo_burn_rate:{window}{{slo=~"hold-.*|answer-age|journal-lag"}}', f"{{{{slo}}}} {window}")
    for window in ("5m", "1h", "6h")
)

PLATFORM = Board(
    "resapermis-platform",
    "ResaPermis: platform",
    "Whether it works: objectives, requests, services, bus, the way to RdvPermis.",
    (
        Row(
            "Objectives",
            (
                Panel(
                    "Budget burnt within the hour",
                    (Query("resapermis:slo_burn_rate:1h", "{{slo}}"),),
                    kind="stat",
                    about="1 uses a month's budget up in a month; a page at 14.4 (docs/slo.md).",
                ),
                Panel(
                    "Opening hours",
                    (Query("resapermis:opening_hours", "1: within"),),
                    kind="stat",
                    about="Monday to Friday, 6 to 22 in Paris.",
                ),
                Panel(
                    "Processes that answer",
                    (Query('sum by (service) (up{job="resapermis"})', "{{service}}"),),
                    kind="stat",
                ),
            ),
        ),
        Row(
            "Requests of browsers",
            (
                Panel("Requests", (_rate("resapermis_http_seconds_count", "status"),), unit="reqps"),
                Panel("Time to the first byte", _quantiles("resapermis_http_seconds", ""), unit="s"),
                Panel(
                    "Failed (5xx)",
                    (
                        Query(
                            'sum(rate(resapermis_http_seconds_count{status=~"5.."}[$__rate_interval])) or vector(0)',
                            "5xx",
                        ),
                    ),
                    unit="reqps",
                ),
                Panel(
                    "Connections and live feeds",
                    (
                        Query("sum(resapermis_http_connections)", "connections"),
                        Query("sum(resapermis_http_feeds)", "live feeds"),
                    ),
                ),
            ),
        ),
        Row(
            "Services",
            (
                Panel("Calls", (_rate("resapermis_rpc_seconds_count", "service"),), unit="reqps"),
                Panel(
                    "Time to answer, p99", _quantiles("resapermis_rpc_seconds", "service", quantiles=(0.99,)), unit="s"
                ),
                Panel(
                    "Errors of ours",
                    (
                        Query(
                            f"sum by (service) (rate(resapermis_rpc_seconds_count{{{ERRORS}}}[$__rate_interval])) or vector(0)",
                            "{{service}}",
                        ),
                    ),
                    unit="reqps",
                ),
                Panel(
                    "CPU",
                    (
                        Query(
                            'sum by (service) (rate(process_cpu_seconds_total{job="resapermis"}[$__rate_interval]))',
                            "{{service}}",
                        ),
                    ),
                    about="Cores.",
                ),
                Panel(
                    "Memory",
                    (Query('sum by (service) (process_resident_memory_bytes{job="resapermis"})', "{{service}}"),),
                    unit="bytes",
                ),
                Panel(
                    "Leaders",
                    (Query("sum by (service) (resapermis_leader)", "{{service}}"),),
                    kind="stat",
                    about="1 of each service; alert NobodyLeads below.",
                ),
            ),
        ),
        Row(
            "Bus",
            (
                Panel(
                    "Outbox: oldest row that waits",
                    (Query(_leaders("resapermis_outbox_oldest_seconds"), "{{service}}"),),
                    unit="s",
                ),
                Panel(
                    "Not acknowledged yet",
                    (Query("sum by (consumer, source) (resapermis_bus_pending)", "{{consumer}} ← {{source}}"),),
                ),
                Panel(
                    "Age of events when handled, p99",
                    _quantiles("resapermis_event_age_seconds", "service", quantiles=(0.99,)),
                    unit="s",
                ),
                Panel(
                    "Tasks of leaders that failed",
                    (
                        Query(
                            'sum by (service, task) (rate(resapermis_leader_task_seconds_count{outcome!="ok"}[$__rate_interval])) or vector(0)',
                            "{{service}} {{task}}",
                        ),
                    ),
                    unit="ops",
                ),
            ),
        ),
        Row(
            "RdvPermis",
            (
                Panel("Calls", (_rate("resapermis_rdvpermis_calls_total", "outcome"),), unit="reqps"),
                Panel("Time it takes to answer", _quantiles("resapermis_rdvpermis_seconds", ""), unit="s"),
                Panel(
                    "Circuit",
                    (Query("max(resapermis_rdvpermis_circuit)", "0 closed, 1 half open, 2 open"),),
                    kind="stat",
                ),
                Panel(
                    "Actions without budget", (_rate("resapermis_rdvpermis_budget_refusals_total", "work"),), unit="ops"
                ),
            ),
        ),
        Row(
            "What must not be",
            (
                Panel(
                    "Invariants broken",
                    (
                        Query(
                            f"sum(({_leaders('resapermis_invariant_breaches', 'service, name')}) > 0) or vector(0)",
                            "broken",
                        ),
                    ),
                    kind="stat",
                ),
                Panel(
                    "Access refused",
                    (
                        Query(
                            "sum by (reason) (rate(resapermis_access_denied_total[$__rate_interval])) > 0 or vector(0)",
                            "{{reason}}",
                        ),
                    ),
                    unit="ops",
                ),
                Panel(
                    "Mails due and not tried, oldest",
                    (Query(_leaders("resapermis_mails_due_oldest_seconds"), "{{service}}"),),
                    unit="s",
                ),
            ),
        ),
    ),
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
                    (_rate("resapermis_hold_lines_total", "outcome"),),
                    unit="ops",
                ),
                Panel("Refused by a rule", (_rate("resapermis_rule_refusals_total", "rule"),), unit="ops"),
                Panel(
                    "Lines that moved on",
                    (_rate("resapermis_line_changes_total", "state"),),
                    unit="ops",
                    about="Booked, given back, expired, and so on.",
                ),
            ),
        ),
        Row(
            "A hold, step by step",
            (
                Panel("For the browser", _quantiles("resapermis_http_seconds", "", HOLDS), unit="s"),
                Panel("Waiting for its batch", _quantiles("resapermis_hold_queue_seconds", ""), unit="s"),
                Panel(
                    "Waiting for peers, p99",
                    _quantiles("resapermis_basket_peer_seconds", "peer", quantiles=(0.99,)),
                    unit="s",
                ),
                Panel(
                    "RdvPermis itself, p99",
                    _quantiles("resapermis_rdvpermis_seconds", "operation", quantiles=(0.99,)),
                    unit="s",
                ),
                Panel("Holds that wait", (Query("sum(resapermis_hold_queue_waiting)", "waiting"),)),
                Panel(
                    "Lines in doubt",
                    (Query(_leaders("resapermis_basket_in_doubt"), "in doubt"),),
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
                    _quantiles("resapermis_search_age_seconds", "", quantiles=(0.5, 0.95)),
                    unit="s",
                ),
                Panel(
                    "Polls of RdvPermis",
                    (_rate("resapermis_polls_total", "outcome"),),
                    unit="ops",
                    about="`seen`, or why they brought nothing.",
                ),
                Panel(
                    "Age of what polls replace, p95",
                    _quantiles("resapermis_poll_age_seconds", "why", quantiles=(0.95,)),
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
            "Budgets",
            (Panel("How fast budgets burn", _BURN, about="1 uses a month's budget up in a month (docs/slo.md)."),),
        ),
    ),
)

ONE_SERVICE = Board(
    "resapermis-service",
    "ResaPermis: one service",
    "Rate, errors and duration of each of its methods, what it does unasked, what it is made of.",
    (
        Row(
            "Calls",
            (
                Panel("Rate", (_rate("resapermis_rpc_seconds_count", "method", SERVICE),), unit="reqps"),
                Panel(
                    "Errors of ours",
                    (
                        Query(
                            f"sum by (method, code) (rate(resapermis_rpc_seconds_count{{{SERVICE},{ERRORS}}}[$__rate_interval])) or vector(0)",
                            "{{method}} {{code}}",
                        ),
                    ),
                    unit="reqps",
                ),
                Panel("Duration, p50", _quantiles("resapermis_rpc_seconds", "method", SERVICE, (0.5,)), unit="s"),
                Panel("Duration, p99", _quantiles("resapermis_rpc_seconds", "method", SERVICE, (0.99,)), unit="s"),
                Panel(
                    "Refusals and other answers",
                    (_rate("resapermis_rpc_seconds_count", "code", SERVICE),),
                    unit="reqps",
                ),
                Panel(
                    "Handshakes begun with it",
                    (_rate("resapermis_rpc_handshakes_total", "service", SERVICE),),
                    unit="ops",
                ),
            ),
        ),
        Row(
            "Unasked",
            (
                Panel(
                    "Rounds of its tasks",
                    (
                        Query(
                            f"sum by (task, outcome) (rate(resapermis_leader_task_seconds_count{{{SERVICE}}}[$__rate_interval]))",
                            "{{task}} {{outcome}}",
                        ),
                    ),
                    unit="ops",
                ),
                Panel(
                    "Since a round ended well",
                    (
                        Query(
                            f"time() - max by (task) (resapermis_leader_task_success_timestamp_seconds{{{SERVICE}}})",
                            "{{task}}",
                        ),
                    ),
                    unit="s",
                ),
                Panel("Leaders", (Query(f"sum(resapermis_leader{{{SERVICE}}})", "leaders"),), kind="stat"),
            ),
        ),
        Row(
            "The process",
            (
                Panel(
                    "CPU",
                    (Query(f"rate(process_cpu_seconds_total{{{SERVICE}}}[$__rate_interval])", "{{instance}}"),),
                    about="Cores.",
                ),
                Panel("Memory", (Query(f"process_resident_memory_bytes{{{SERVICE}}}", "{{instance}}"),), unit="bytes"),
                Panel(
                    "Runs for",
                    (Query(f"time() - process_start_time_seconds{{{SERVICE}}}", "{{instance}}"),),
                    unit="s",
                    kind="stat",
                ),
            ),
        ),
    ),
    per_service=True,
)

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
                    _quantiles("resapermis_journal_lag_seconds", "", quantiles=(0.5, 0.99, 0.999)),
                    unit="s",
                ),
            ),
        ),
        Row(
            "On the way",
            (
                Panel("In outboxes", (Query(_leaders("resapermis_outbox_backlog"), "{{service}}"),)),
                Panel(
                    "On the bus for audit",
                    (Query('sum by (source) (resapermis_bus_pending{consumer="audit"})', "{{source}}"),),
                ),
                Panel(
                    "Age when audit had it, p99",
                    _quantiles("resapermis_event_age_seconds", "source", 'service="audit",stream="records"', (0.99,)),
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
            "Budget",
            (
                Panel(
                    "How fast the budget burns",
                    (
                        Query('resapermis:slo_burn_rate:1h{slo="journal-lag"}', "1 h"),
                        Query('resapermis:slo_burn_rate:5m{slo="journal-lag"}', "5 min"),
                    ),
                ),
            ),
        ),
    ),
)

BOARDS = (PLATFORM, OPENING, ONE_SERVICE, JOURNAL)
