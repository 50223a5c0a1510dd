"""Who can get in, and who may do everything?"""

from fixtures.access import Accounts, Privileged
from reports.requirement import Evidence, requirement


@requirement("ACCESS-1", severity="P2", every="31 days")
def test_privileged_users_are_approved(privileged: Privileged, evidence: Evidence) -> None:
    """Every privileged account belongs to somebody whom the roster approves for one.

    Source: operations guide, "Auditar accesos de usuarios".
    """
    evidence.note("privileged accounts", len(privileged.accounts()), subject=privileged.name)
    evidence.note("approved people without one here", privileged.absent(), subject=privileged.name)
    evidence.none_of("privileged accounts that nobody approved", privileged.unknown(), subject=privileged.name)


@requirement("ACCESS-2", severity="P3", every="31 days")
def test_no_account_is_dormant_or_orphaned(accounts: Accounts, evidence: Evidence) -> None:
    """Every account is in use, and belongs to somebody on the roster.

    Source: operations guide, "Auditar accesos de usuarios".
    """
    evidence.note("accounts", len(accounts.all()), subject=accounts.name)
    evidence.note("dormant after", accounts.dormant_after)
    evidence.none_of("accounts of nobody on the roster", accounts.orphaned(), subject=accounts.name)
    if not accounts.sign_ins_known:
        evidence.judge()  # one of nobody is red, whatever can be told of the others
    evidence.none_of("dormant accounts", accounts.dormant(), subject=accounts.name)
