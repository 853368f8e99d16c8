"""Whether the platform works."""

from observability.board import Board, Panel, Query, Row
from observability.boards.queries import ERRORS, leaders, quantiles, rate

PLATFORM = Board(
    "resapermis-platform",
    "ResaPermis: platform",
    "Whether it works: objectives, requests, services, bus, the way to RdvPermis.",
    (
        Row(
            "Objectives",
            (
                Panel(
                    "Error budget burnt within the hour",
                    (Query("resapermis:slo_burn_rate:1h", "{{slo}}"),),
                    kind="stat",
                    about="1 uses a month's error budget up in a month; a page at 14.4 (docs/slo.md).",
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
                Panel("Requests", (rate("resapermis_http_seconds_count", "status"),), unit="reqps"),
                Panel("Time to the first byte", quantiles("resapermis_http_seconds", ""), unit="s"),
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
                Panel("Calls", (rate("resapermis_rpc_seconds_count", "service"),), unit="reqps"),
                Panel(
                    "Time to answer, p99", quantiles("resapermis_rpc_seconds", "service", quantiles=(0.99,)), unit="s"
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
                    (Query(leaders("resapermis_outbox_oldest_seconds"), "{{service}}"),),
                    unit="s",
                ),
                Panel(
                    "Not acknowledged yet",
                    (Query("sum by (consumer, source) (resapermis_bus_pending)", "{{consumer}} ← {{source}}"),),
                ),
                Panel(
                    "Age of events when handled, p99",
                    quantiles("resapermis_event_age_seconds", "service", quantiles=(0.99,)),
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
                Panel("Calls", (rate("resapermis_rdvpermis_calls_total", "outcome"),), unit="reqps"),
                Panel("Time it takes to answer", quantiles("resapermis_rdvpermis_seconds", ""), unit="s"),
                Panel(
                    "Circuit",
                    (Query("max(resapermis_rdvpermis_circuit)", "0 closed, 1 half open, 2 open"),),
                    kind="stat",
                ),
                Panel(
                    "Actions without budget", (rate("resapermis_rdvpermis_budget_refusals_total", "work"),), unit="ops"
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
                            f"sum(({leaders('resapermis_invariant_breaches', 'service, name')}) > 0) or vector(0)",
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
                    (Query(leaders("resapermis_mails_due_oldest_seconds"), "{{service}}"),),
                    unit="s",
                ),
            ),
        ),
    ),
)
