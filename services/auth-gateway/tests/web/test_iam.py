"""Who of a school gets mail: answered to notification alone."""

from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from resapermis.iam.v1 import iam_pb2, iam_pb2_grpc
from resapermis_auth_gateway import tables
from resapermis_auth_gateway.iam.servicer import IamServicer
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Code, Failure
from resapermis_kit.rpc import peers
from resapermis_testing.grpc_server import Serve

from .people_desk import administrator, invite


@pytest.fixture
async def iam(world: Any, serve: Serve) -> Any:
    servicer = IamServicer(world.dependencies.sessions.engine, world.dependencies.profiles, world.clock)
    return await serve(
        "auth-gateway", (iam_pb2_grpc.add_IamServiceServicer_to_server, servicer, "resapermis.iam.v1.IamService")
    )


async def _ask(iam: Any, school: str, caller: str = "notification", principal: str = "") -> list[Any]:
    async with iam.channel("auth-gateway", caller) as channel:
        stub = iam_pb2_grpc.IamServiceStub(channel)
        answer = await peers.ask(
            stub.ListRecipients, iam_pb2.ListRecipientsRequest(school_id=school), principal=principal
        )
    return list(answer.recipients)


async def test_notification_receives_the_addresses_of_one_school(world: Any, iam: Any) -> None:
    ours = await world.session()
    await world.session(school="school-2")
    assert [(one.account_id, one.email, one.locale) for one in await _ask(iam, "school-1")] == [
        (str(ours.session.account_id), "camille@ecole.test", "fr")
    ]


@pytest.mark.parametrize("caller", ["basket", "mandate", "egress"])
async def test_nobody_else_does(iam: Any, caller: str) -> None:
    with pytest.raises(Failure) as refused:
        await _ask(iam, "school-1", caller)
    assert refused.value.code == Code.CODE_UNAUTHENTICATED


async def test_not_even_in_a_persons_name(iam: Any) -> None:
    with pytest.raises(Failure) as refused:
        await _ask(iam, "school-1", principal=iam.principal(roles=("school_admin",)))
    assert refused.value.code == Code.CODE_FORBIDDEN


async def test_an_account_whose_key_is_gone_is_nobody_and_the_others_are_listed(world: Any, iam: Any) -> None:
    gone, there = await world.session(), await world.session()
    async with transaction(world.dependencies.sessions.engine) as tx:
        destroyed = sa.update(tables.accounts).where(tables.accounts.c.id == gone.session.account_id)
        await tx.execute(destroyed.values(person_key=b"destroyed"))
    assert [one.account_id for one in await _ask(iam, "school-1")] == [str(there.session.account_id)]


async def test_a_school_is_named(iam: Any) -> None:
    with pytest.raises(Failure) as refused:
        await _ask(iam, "")
    assert refused.value.code == Code.CODE_MALFORMED


async def _word(iam: Any, caller: str = "notification", principal: str = "") -> str:
    async with iam.channel("auth-gateway", caller) as channel:
        stub = iam_pb2_grpc.IamServiceStub(channel)
        question = iam_pb2.IssueInvitationWordRequest(invitation_id=str(uuid4()))
        return str((await peers.ask(stub.IssueInvitationWord, question, principal=principal)).word)


@pytest.mark.req("S-23")
async def test_the_word_of_an_invitation_is_for_notification_alone_and_of_one_that_counts(iam: Any) -> None:
    for who, code in (
        ({"caller": "basket"}, Code.CODE_UNAUTHENTICATED),
        ({"principal": iam.principal(roles=("platform_admin",))}, Code.CODE_FORBIDDEN),
        ({}, Code.CODE_NOT_FOUND),
    ):
        with pytest.raises(Failure) as refused:
            await _word(iam, **who)
        assert refused.value.code == code


@pytest.mark.req("S-23")
async def test_who_is_invited_has_an_address_of_their_own_to_be_written_to(world: Any, iam: Any) -> None:
    admin = await administrator(world)
    person_id = (await invite(admin)).json()["id"]
    assert [(one.account_id, one.email) for one in await _ask(iam, f"account {person_id}")] == [
        (person_id, "sam@prefecture.example")
    ]
