"""What an operator may ask of basket from a terminal, beside the running service."""

import json
import sys
from collections.abc import Sequence

from resapermis.scheduling.v1.scheduling_pb2 import Parameter
from resapermis_basket.compliance.check import check_all, preview
from resapermis_basket.dependencies import Dependencies
from resapermis_basket.peers import Peers
from resapermis_basket.settings import Settings
from resapermis_kit.clock import new_id
from resapermis_kit.database.engine import make_engine
from resapermis_kit.errors import Failure
from resapermis_kit.events.outbox import Outbox
from resapermis_kit.rpc import peers
from resapermis_kit.tls.certificates import Certificates

COMPLIANT, DRIFTED, NOT_ASKED = 0, 1, 2
CHECK, PREVIEW = "compliance-check", "preview"
USAGE = f"usage: python -m resapermis_basket [migrate | {CHECK} | {PREVIEW} NAME VALUE [DEPARTMENT [CATEGORY]]]"
PREVIEW_WORDS = range(2, 5)


def is_ours(arguments: Sequence[str]) -> bool:
    """Whether these words are a command of this file."""
    return bool(arguments) and arguments[0] in {CHECK, PREVIEW}


async def run(arguments: Sequence[str], settings: Settings) -> int:
    """Do it, print JSON, return the exit status: 0 nothing drifted (or a preview was made), 1 drift, 2 not asked."""
    command, *words = arguments
    if (command == CHECK and words) or (command == PREVIEW and len(words) not in PREVIEW_WORDS):
        print(USAGE, file=sys.stderr)  # noqa: T201 - a command line speaks on its terminal
        return NOT_ASKED
    certificates = Certificates(settings.tls_dir, settings.tls_denied_serials)
    engine = make_engine(settings.database_url, pool=1, name="basket command", certificates=certificates)
    mandate, rules, egress = channels = [
        peers.channel(settings.peer(name), certificates, name) for name in ("mandate", "scheduling-rules", "egress")
    ]
    asked = Peers(mandate, rules, egress, settings.egress_seconds)
    dependencies = Dependencies(engine, Outbox("basket"), asked, settings, new_id)
    try:
        report = await (preview(dependencies, _parameter(words)) if command == PREVIEW else check_all(dependencies))
    except Failure as failure:
        print(f"basket: {failure.name}: {failure.detail}", file=sys.stderr)  # noqa: T201 - as above
        return NOT_ASKED
    finally:
        for channel in channels:
            await channel.close()
        await engine.dispose()
    print(json.dumps(report.as_json(), indent=2))  # noqa: T201 - as above
    return DRIFTED if command == CHECK and report.drifted else COMPLIANT


def _parameter(words: Sequence[str]) -> Parameter:
    name, value, department, category = [*words, "", ""][:4]
    return Parameter(name=name, value=value, department=department, category=category)
