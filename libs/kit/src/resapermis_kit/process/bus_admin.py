"""bus-admin's command, `python -m resapermis_kit.process.bus_admin`: it takes no argument, its settings are in the environment."""

from resapermis_kit.process.command import Serve, run


def load() -> Serve:
    """Import what it runs, after `run` has put aside what of our libraries it does not use."""
    from resapermis_kit.process.bus_keeper import serve  # noqa: PLC0415 - half of its start otherwise

    return serve


if __name__ == "__main__":
    run(load)
