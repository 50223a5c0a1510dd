"""Is anything known against the packages that a system is built from?"""

from fixtures.dependencies import Dependencies
from reports.requirement import Evidence, requirement


@requirement("DEPS-1", severity="P2", every="31 days")
def test_no_serious_vulnerability_is_known(dependencies: Dependencies, evidence: Evidence) -> None:
    """No serious vulnerability is known of any package in the npm lock file.

    Source: operations guide, "Revisar dependencias de npm (vulnerabilidades)".
    """
    evidence.note("packages", dependencies.report().packages)
    evidence.note("advisories of any severity", len(dependencies.report().advisories))
    evidence.none_of("serious vulnerabilities", dependencies.vulnerabilities(), subject=str(dependencies.lock))
