"""One service, whichever is chosen."""

from observability.board import Board, Panel, Query, Row
from observability.boards.queries import ERRORS, quantiles, rate

SERVICE = 'service="$service"'

ONE_SERVICE = Board(
    "resapermis-service",
    "ResaPermis: one service",
    "Rate, errors and duration of each of its methods, what it does unasked, what it is made of.",
    (
        Row(
            "Calls",
            (
                Panel("Rate", (rate("resapermis_rpc_seconds_count", "method", SERVICE),), unit="reqps"),
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
                Panel("Duration, p50", quantiles("resapermis_rpc_seconds", "method", SERVICE, (0.5,)), unit="s"),
                Panel("Duration, p99", quantiles("resapermis_rpc_seconds", "method", SERVICE, (0.99,)), unit="s"),
                Panel(
                    "Refusals and other answers",
                    (rate("resapermis_rpc_seconds_count", "code", SERVICE),),
                    unit="reqps",
                ),
                Panel(
                    "Handshakes begun with it",
                    (rate("resapermis_rpc_handshakes_total", "service", SERVICE),),
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
