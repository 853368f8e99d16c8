"""Whom the web face asks, and for whom it signs the question."""

from collections.abc import Callable
from typing import Any

from google.protobuf import descriptor_pool
from google.protobuf.message_factory import GetMessageClass

from resapermis_auth_gateway.web.dependencies import Peers, asked_of


class NamedChannel:
    """Stands for the channel to a service; notes what stubs would call through it."""

    def __init__(self, service: str, methods: dict[str, str]) -> None:
        self._service, self._methods = service, methods

    def unary_unary(self, path: str, *_more: Any, **_options: Any) -> Callable[..., None]:
        """Note the method."""
        self._methods[path] = self._service
        return lambda: None


def test_a_question_is_signed_for_the_service_whose_channel_it_takes() -> None:
    methods: dict[str, str] = {}
    Peers.over(lambda service: NamedChannel(service, methods))
    assert len(methods) > 60
    for path, service in methods.items():
        _, interface, name = path.split("/")
        method = descriptor_pool.Default().FindServiceByName(interface).methods_by_name[name]
        assert asked_of(GetMessageClass(method.input_type)()) == service, path
