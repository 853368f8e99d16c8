"""Who of a school gets mail: answered to notification alone."""

from typing import Any

import pytest
import sqlalchemy as sa

from resapermis.iam.v1 import iam_pb2, iam_pb2_grpc
from resapermis_auth_gateway import tables
from resapermis_auth_gateway.iam.servicer import IamServicer
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Code, Failure
from resapermis_kit.rpc import peers
from resapermis_testing.grpc_server import Serve


@pytest.fixture
async def iam(world: Any, serve: Serve) -> Any:
    servicer = IamServicer(world.dependencies.sessions.engine, world.dependencies.profiles)
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
