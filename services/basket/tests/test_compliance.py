"""Every booking judged again by its own facts (R-23); what a change of a rule would do, without changing anything."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog
from basket_peers import Basket, Record, candidate
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from test_line_change import booked, cancel, replace
from test_swap import swap

from resapermis.basket.v1.events_pb2 import ComplianceDrifted
from resapermis.scheduling.v1 import scheduling_pb2
from resapermis_basket.compliance import check, commands
from resapermis_basket.compliance.check import check_all, check_nightly, night_before, preview
from resapermis_basket.settings import Settings
from resapermis_kit.errors import Code, Failure


async def drift(basket: Basket) -> set[tuple[str, str, str]]:
    rows = await basket.rows(
        "SELECT slot_id, purpose, drift FROM judgement JOIN basket_line ON id = line_id WHERE drift <> ''"
    )
    return {(row.slot_id, row.purpose, row.drift) for row in rows}


@pytest.mark.req("R-23")
async def test_every_booking_is_judged_again_by_what_was_kept(basket: Basket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "BATCH", 2)
    one, two, three, four = await booked(basket, ("s1", 1), ("s2", 2), ("s3", 3), ("s4", 4))
    await cancel(basket, one)
    await replace(basket, two, 7)
    await swap(basket, three, four)
    await basket.hold("s9")  # not booked: not a booking
    report = await check_all(basket.dependencies)
    assert (report.bookings, report.judgements, report.drifted) == (7, 4 * 2 + 3, 0)
    snapshots = [snapshot for request in basket.world.rejudged for snapshot in request.snapshots]
    assert {snapshot.purpose for snapshot in snapshots} == {"hold", "validate", "replace", "swap"}
    assert {snapshot.line.candidate_id for snapshot in snapshots} == {candidate(number) for number in (1, 2, 3, 4, 7)}
    assert REGISTRY.get_sample_value("resapermis_compliance_bookings_checked") == 7
    assert not await basket.published(ComplianceDrifted)


@pytest.mark.req("R-23")
async def test_drift_is_published_recorded_and_counted_once_until_it_changes(basket: Basket) -> None:
    lines = await booked(basket, ("s1", 1), ("s2", 2))
    basket.world.drifted["s1"] = ["R-THRESHOLD", "R-MANDATE"]
    for _ in range(2):
        report = await check_all(basket.dependencies)
        assert (report.drifted, dict(report.by_rule)) == (2, {"R-MANDATE": 2, "R-THRESHOLD": 2})
        assert REGISTRY.get_sample_value("resapermis_compliance_drift") == 2
    assert await drift(basket) == {("s1", purpose, "R-MANDATE,R-THRESHOLD") for purpose in ("hold", "validate")}
    published = await basket.published(ComplianceDrifted)
    assert [(event.line_id, list(event.rules)) for event in published] == [
        (lines[0].id, ["R-MANDATE", "R-THRESHOLD"])
    ] * 2
    records = [record for record in await basket.published(Record) if record.action == "compliance.drift"]
    assert [record.facts["purpose"] for record in records] == ["hold", "validate"]
    basket.world.drifted.clear()
    assert (await check_all(basket.dependencies)).drifted == 0
    assert await drift(basket) == set()
    assert len(await basket.published(ComplianceDrifted)) == 2
    assert await basket.states() == {"s1": "booked", "s2": "booked"}


@pytest.mark.req("R-23")
async def test_it_is_checked_once_a_night(basket: Basket) -> None:
    await booked(basket, ("s1", 1))
    for _ in range(2):
        await check_nightly(basket.dependencies)
    assert len(await basket.rows("SELECT 1 FROM compliance_check")) == 1
    await basket.rows("UPDATE compliance_check SET ended_at = now() - interval '25 hours' RETURNING 1")
    await check_nightly(basket.dependencies)
    assert len(await basket.rows("SELECT 1 FROM compliance_check")) == 2


@pytest.mark.req("R-23")
async def test_while_the_rules_are_away_no_check_is_counted(basket: Basket) -> None:
    await booked(basket, ("s1", 1))
    await basket.peer_servers["scheduling-rules"].server.stop(0)
    with pytest.raises(Failure) as refused:
        await check_nightly(basket.dependencies)
    assert refused.value.code == Code.CODE_UNAVAILABLE
    assert not await basket.rows("SELECT 1 FROM compliance_check")


@pytest.mark.req("R-24")
async def test_a_change_is_previewed_on_live_lines_and_does_nothing(basket: Basket) -> None:
    one, _, _ = await booked(basket, ("s1", 1), ("s2", 2), ("s3", 3))
    await cancel(basket, one)
    await basket.hold("s4")
    basket.world.would_refuse |= {"s1", "s2", "s3"}
    basket.world.drifted["s3"] = ["R-NOTICE"]  # refused without the change as well
    changed = scheduling_pb2.Parameter(name="notice_seconds", value="86400")
    report = await preview(basket.dependencies, changed)
    assert (report.bookings, report.drifted, dict(report.by_rule)) == (3, 2, {"R-NOTICE": 2})
    assert {example["purpose"] for example in report.examples} == {"hold", "validate"}
    assert basket.world.rejudged[-1].changed == changed
    assert await drift(basket) == set()
    assert not await basket.rows("SELECT 1 FROM compliance_check")


# The commands


def settings(basket: Basket, settings_for: Any) -> Settings:
    addresses = {name: f"127.0.0.1:{one.server.port}" for name, one in basket.peer_servers.items()}
    made: Settings = settings_for(
        Settings,
        "basket",
        database_url=basket.engine.url.render_as_string(hide_password=False),
        peer_mandate=addresses["mandate"],
        peer_scheduling_rules=addresses["scheduling-rules"],
        peer_egress=addresses["mandate"],  # never asked
    )
    return made


async def run(words: list[str], settings: Settings, capsys: pytest.CaptureFixture[str]) -> int:
    """The command, its answer alone on the terminal, as in a process of its own (`__main__`)."""
    capsys.readouterr()  # what basket's services logged here until now
    with structlog.testing.capture_logs():
        return await commands.run(words, settings)


@pytest.mark.req("R-23", "P-05")
@pytest.mark.parametrize("drifted", [True, False])
async def test_the_command_prints_json_and_shows_drift_by_its_status(
    basket: Basket, settings_for: Any, capsys: pytest.CaptureFixture[str], *, drifted: bool
) -> None:
    await booked(basket, ("s1", 1))
    if drifted:
        basket.world.drifted["s1"] = ["R-PAST"]
    assert await run(["compliance-check"], settings(basket, settings_for), capsys) == (1 if drifted else 0)
    printed = json.loads(capsys.readouterr().out)
    assert (printed["compliant"], printed["bookings"], printed["judgements"]) == (not drifted, 1, 2)
    assert printed["by_rule"] == ({"R-PAST": 2} if drifted else {})


@pytest.mark.req("R-24", "P-05")
async def test_the_preview_is_a_command(basket: Basket, settings_for: Any, capsys: pytest.CaptureFixture[str]) -> None:
    await booked(basket, ("s1", 1))
    basket.world.would_refuse.add("s1")
    words = ["preview", "notice_seconds", "86400", "94", "B"]
    assert commands.is_ours(words)
    assert await run(words, settings(basket, settings_for), capsys) == 0
    assert json.loads(capsys.readouterr().out)["drifted"] == 2
    changed = basket.world.rejudged[-1].changed
    assert (changed.name, changed.value, changed.department, changed.category) == ("notice_seconds", "86400", "94", "B")


@pytest.mark.parametrize("words", [["preview"], ["preview", "a"], ["compliance-check", "now"], ["preview", *"abcde"]])
async def test_other_words_are_not_understood(
    basket: Basket, settings_for: Any, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert await run(words, settings(basket, settings_for), capsys) == 2
    assert "usage" in capsys.readouterr().err


async def test_a_check_that_cannot_be_made_is_not_called_compliant(
    basket: Basket, settings_for: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    await booked(basket, ("s1", 1))
    asked = settings(basket, settings_for)
    await basket.peer_servers["scheduling-rules"].server.stop(0)
    assert await run(["compliance-check"], asked, capsys) == 2
    assert "compliant" not in capsys.readouterr().out


@given(st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)))  # noqa: DTZ001 - as hypothesis wants them
def test_the_night_is_the_newest_three_in_the_morning_also_when_clocks_change(now: datetime) -> None:
    night = night_before(now)
    assert night <= now
    assert now - night <= timedelta(hours=25)
    assert (night.hour, night.minute) == (3, 0)
