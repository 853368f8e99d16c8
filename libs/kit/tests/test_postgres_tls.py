"""Over the network, PostgreSQL is believed by its certificate alone: by whom it was signed, and for which name."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from resapermis_kit.database.engine import make_engine
from resapermis_testing.certificates import make_certificates

pytestmark = pytest.mark.containers
NAMED, NOT_NAMED = "127.0.0.1", "127.0.0.2"
"""Addresses of the server that its certificate names, and does not."""


async def ask(url: str, statement: str) -> Any:
    engine = make_engine(url, name="tls")
    try:
        async with engine.connect() as connection:
            return (await connection.execute(sa.text(statement))).one()
    finally:
        await engine.dispose()


OF_THIS_CONNECTION = "SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()"


async def test_the_right_authority_and_name_are_believed(postgres_over_tls: Any, tls: Path) -> None:
    encrypted, version = await ask(
        postgres_over_tls.url(NAMED, "verify-full", tls / "basket" / "ca.pem"), OF_THIS_CONNECTION
    )
    assert encrypted
    assert version in {"TLSv1.2", "TLSv1.3"}


async def test_another_authority_of_the_same_name_is_refused(postgres_over_tls: Any, tmp_path: Path) -> None:
    make_certificates(tmp_path, ("audit",))
    with pytest.raises(Exception, match="CERTIFICATE_VERIFY_FAILED"):
        await ask(postgres_over_tls.url(NAMED, "verify-full", tmp_path / "audit" / "ca.pem"), OF_THIS_CONNECTION)


async def test_a_name_that_the_certificate_does_not_have_is_refused(postgres_over_tls: Any, tls: Path) -> None:
    authority = tls / "basket" / "ca.pem"
    encrypted, _ = await ask(postgres_over_tls.url(NOT_NAMED, "require", authority), OF_THIS_CONNECTION)
    assert encrypted, "it is there, and refused for its name alone"
    with pytest.raises(Exception, match="IP address mismatch"):
        await ask(postgres_over_tls.url(NOT_NAMED, "verify-full", authority), OF_THIS_CONNECTION)


async def test_without_tls_the_server_takes_nobody(postgres_over_tls: Any, tls: Path) -> None:
    with pytest.raises(Exception, match="no encryption"):
        await ask(postgres_over_tls.url(NAMED, "disable", tls / "basket" / "ca.pem"), OF_THIS_CONNECTION)
