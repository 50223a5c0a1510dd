"""The machines that a system runs on: room, memory, services, clocks."""

from fixtures.clocks import Clocks
from fixtures.host import Host
from reports.requirement import Evidence, requirement


@requirement("HOST-1", severity="P2", every="10 min", gate="before")
def test_file_systems_have_room(room: Host, evidence: Evidence) -> None:
    """Every declared file system has room, in bytes and in inodes.

    Source: operations guide, "Revisar espacio en disco"; runbook 2 Disco / memoria.
    """
    for path, each in room.file_systems.told.items():
        for what, percent in each.in_use.items():
            evidence.at_most(f"{what} in use", percent, limit=room.used, unit="%", subject=each.seen_as(path))
        evidence.note("inodes", each.inodes, subject=each.seen_as(path))
    evidence.none_of("file systems that cannot be read", room.file_systems.faults, subject=room.name)
    evidence.judge()
    room.file_systems.require_told()


@requirement("HOST-2", severity="P2", every="10 min")
def test_memory_is_available(host: Host, evidence: Evidence) -> None:
    """Enough of the memory is available.

    Source: runbook 2 Disco / memoria.
    """
    memory, limit = host.memory, host.memory_available
    evidence.at_least("memory available", memory.available_percent, limit=limit, unit="%", subject=host.name)
    evidence.note("memory", memory.total, unit="bytes", subject=host.name)
    evidence.note("limit of the control group that was looked from", host.look.memory_limit, unit="bytes")


@requirement("HOST-3", severity="P1", every="5 min", gate="after")
def test_services_run(services: Host, evidence: Evidence) -> None:
    """The declared services run, and do not keep restarting.

    Source: operations guide, "API No Responde".
    """
    for name, each in services.services.told.items():
        evidence.note("state", each.said, subject=name)
        evidence.note("restarts by itself", each.restarts, subject=name)
    evidence.none_of("services that do not run", services.not_running, subject=services.name)
    evidence.none_of("services that keep restarting", services.restarting, subject=services.name)
    evidence.judge()
    services.services.require_told()


@requirement("HOST-4", severity="P3", every="1 day")
def test_clocks_agree(clocks: Clocks, evidence: Evidence) -> None:
    """The clocks of this machine, of the databases, the APIs and the hosts agree.

    Source: ours: what parts with different clocks date, sign or expire cannot be compared.
    """
    for name, offset in clocks.offsets.items():
        evidence.note("ahead of this machine by", offset.middle, unit="s", subject=name)
        evidence.note("unsure by", offset.unsure, unit="s", subject=name)
    furthest = clocks.furthest_apart
    evidence.at_most("clocks differ by", furthest.seconds, limit=clocks.within, unit="s", subject=furthest.clocks)
    evidence.judge()
    clocks.require_read()
