"""Would anybody hear of it?"""

from fixtures.channels import Channel
from reports.requirement import Evidence, requirement


@requirement("ALERT-1", severity="P2", every="7 days")
def test_alert_channel_delivers(channel: Channel, evidence: Evidence) -> None:
    """The alert channel accepts a test message, and somebody on the roster confirmed the last one.

    Source: runbook "5 Revisar alertas (email/Slack)".
    """
    evidence.note("last test message accepted", f"{channel.last_test():%Y-%m-%d %H:%M} UTC", subject=channel.name)
    age = channel.age_of_confirmation()
    evidence.age("age of the last confirmation", age, limit=channel.within, subject=channel.task)
    evidence.none_of("confirmed by nobody on the roster", channel.unknown_signer(), subject=channel.task)
