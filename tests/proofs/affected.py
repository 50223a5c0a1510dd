"""Which check runs there are, and which of them a broken part rightly takes with it."""

# All that each system declares, and what it declares not applicable.
CHECKED = {
    "mira": {
        *("HEALTH-1 nocobase", "HEALTH-4 nocobase", "HEALTH-5 nocobase"),
        *("LATENCY-1 nocobase/case-list", "LATENCY-2 nocobase/case-list"),
        *("ERRORS-1 nocobase", "ERRORS-2 nocobase", "TRAFFIC-1 nocobase"),
        *("UPTIME-1 nocobase", "UPTIME-2 alma", "UPTIME-3 main"),
        *("USAGE-1 cases-created", "USAGE-1 active-users"),
        *("DATABASE-1 main", "DATABASE-3 main", "DATABASE-4 main", "DATABASE-5 main", "DATABASE-6 main"),
        *("DATABASE-2 main/case-count", "DATABASE-2 main/cases-by-state", "DATABASE-2 main/recent-episodes"),
        *("UPSTREAM-1 alma", "SYNC-1 alma", "SYNC-2 alma", "SYNC-3 alma"),
        *("MIGRATE-1 nocobase", "MIGRATE-2 nocobase"),
        *("HOST-1 server", "HOST-2 server", "HOST-3 server", "HOST-4 system"),
        *("LOGS-1 mira", "LOGS-2 mira", "LOGS-3 connection-test", "LOGS-3 check-sql-sync"),
        *("LOGS-3 backup-collections", "LOGS-3 backup-database", "LOGS-3 cleanup-old-logs"),
        *(f"BACKUP-{number} weekly-database" for number in (1, 2, 3, 4, 7)),
        *(f"BACKUP-{number} daily-collections" for number in (1, 2, 3, 4, 5, 7)),
        *(f"BACKUP-8 {item}" for item in ("database", "collections", "ui-schemas", "uploads", "configuration")),
        *("ACCESS-1 nocobase", "ACCESS-2 nocobase", "DEPS-1 ugco"),
        *("UPKEEP-1 update-operations-docs", "UPKEEP-1 plan-optimisations", "UPKEEP-1 review-architecture"),
        *("UPKEEP-1 assess-hardware", "UPKEEP-1 update-runbooks", "UPKEEP-1 train-support", "UPKEEP-1 tell-users"),
        *("UPKEEP-2 devops-lead", "UPKEEP-2 dba", "UPKEEP-2 infrastructure", "UPKEEP-2 product-owner"),
        "UPKEEP-3 operations-guide",
        *("INCIDENT-1 system", "INCIDENT-2 system", "INCIDENT-3 system"),
        *("MONITOR-1 uptimerobot", "MONITOR-2 sentry", "MONITOR-2 prometheus", "ALERT-1 guardia"),
        *("RESTORE-11 weekly-database", "SELF-4 system"),
    },
    "comercial-electrica": {
        *("HOST-1 server", "HOST-2 server", "HOST-4 system"),
        *("HEALTH-1 api", "HEALTH-2 api", "HEALTH-3 api", "HEALTH-5 api", "ERRORS-1 api"),
        *("DATABASE-1 main", "CACHE-1 redis"),
        *("QUEUE-1 jobs", "QUEUE-2 jobs"),
        *("MIGRATE-1 prisma", "MIGRATE-2 prisma", "MIGRATE-3 prisma", "MIGRATE-4 prisma"),
        *(f"BACKUP-{number} daily-database" for number in (1, 2, 3, 7)),
        "BACKUP-8 database",
        *("UPKEEP-1 review-alerts", "UPKEEP-2 operations", "UPKEEP-3 operations-runbook"),
        *("MONITOR-1 pingdom", "ALERT-1 correo", "ALERT-1 slack"),
        *("RESTORE-11 daily-database", "SELF-4 system"),
    },
}
NOT_APPLICABLE = {
    "mira": {
        *("HEALTH-2 -", "HEALTH-3 -", "CACHE-1 -", "MIGRATE-3 -", "MIGRATE-4 -", "BACKUP-6 -"),
        *("QUEUE-1 -", "QUEUE-2 -"),
    },
    "comercial-electrica": {
        *("HEALTH-4 -", "LATENCY-1 -", "LATENCY-2 -"),
        *("BACKUP-4 -", "BACKUP-5 -", "BACKUP-6 -"),
        "HOST-3 -",
        *("UPSTREAM-1 -", "SYNC-1 -", "SYNC-2 -", "SYNC-3 -", "DEPS-1 -"),
        *("LOGS-1 -", "LOGS-2 -", "LOGS-3 -"),
        *("ERRORS-2 -", "TRAFFIC-1 -", "MONITOR-2 -"),
        *("USAGE-1 -", "ACCESS-1 -", "ACCESS-2 -"),
        *("INCIDENT-1 -", "INCIDENT-2 -", "INCIDENT-3 -"),
        *("UPTIME-1 -", "UPTIME-2 -", "UPTIME-3 -"),
        *("DATABASE-2 -", "DATABASE-3 -", "DATABASE-4 -", "DATABASE-5 -", "DATABASE-6 -"),
    },
}
DRILLED = {
    "mira": {f"RESTORE-{number} weekly-database" for number in (1, 2, 3, 4, 5, 7, 8, 10)}
    | {"RESTORE-9 daily-collections"},
    "comercial-electrica": {f"RESTORE-{number} daily-database" for number in (1, 2, 3, 4, 5, 6, 7, 8, 10)},
}

NOT_DRILLED = {"mira": {"RESTORE-6 -"}, "comercial-electrica": {"RESTORE-9 -"}}

# What writes is declared by neither system file; its proofs declare it, and hold a green run too.
GREEN_IN_PROOFS = {"BACKUP-6 daily-database"}

LATENCIES = {"LATENCY-1 nocobase/case-list", "LATENCY-2 nocobase/case-list"}
# Everything that signs in to NocoBase.
MIRA_SIGNED_IN = {"HEALTH-4 nocobase", *LATENCIES}
MIRA_API = {"HEALTH-1 nocobase", *MIRA_SIGNED_IN}
# Everything that enters the database as the suite's own role.
MIRA_DATABASE = {
    *("DATABASE-1 main", "HOST-4 system"),
    *("SYNC-1 alma", "SYNC-2 alma", "SYNC-3 alma"),
    *("MIGRATE-1 nocobase", "MIGRATE-2 nocobase"),
    *("DATABASE-2 main/case-count", "DATABASE-2 main/cases-by-state", "DATABASE-2 main/recent-episodes"),
    *("DATABASE-3 main", "DATABASE-4 main", "DATABASE-5 main", "DATABASE-6 main"),
    *("USAGE-1 cases-created", "USAGE-1 active-users", "ACCESS-1 nocobase", "ACCESS-2 nocobase"),
}
# The lab's ALMA is a database on the same server.
MIRA_SERVER = {*MIRA_DATABASE, "UPSTREAM-1 alma"}
# All of a backup set, what a recovery takes from it, and what cannot be told when its newest file is damaged.
BACKUPS = {
    name: {f"BACKUP-{number} {name}" for number in numbers}
    for name, numbers in (
        ("weekly-database", (1, 2, 3, 4, 7)),
        ("daily-collections", (1, 2, 3, 4, 5, 7)),
        ("daily-database", (1, 2, 3, 7)),
    )
}
RECOVERED_FROM = {
    "weekly-database": {"BACKUP-8 database"},
    "daily-collections": {f"BACKUP-8 {item}" for item in ("collections", "ui-schemas", "uploads", "configuration")},
    "daily-database": {"BACKUP-8 database"},
}
DAMAGED = {
    "weekly-database": {"BACKUP-2 weekly-database"},
    "daily-collections": {
        *("BACKUP-2 daily-collections", "BACKUP-5 daily-collections"),
        *RECOVERED_FROM["daily-collections"],
    },
    "daily-database": {"BACKUP-2 daily-database"},
}
COMERCIAL_API = {"HEALTH-1 api", "HEALTH-2 api"}
COMERCIAL_MIGRATIONS = {"MIGRATE-1 prisma", "MIGRATE-2 prisma", "MIGRATE-3 prisma", "MIGRATE-4 prisma"}
# The job that makes each backup set, where it is declared: with the newest file old or gone, it did not run.
JOB_OF = {
    "weekly-database": {"LOGS-3 backup-database"},
    "daily-collections": {"LOGS-3 backup-collections"},
    "daily-database": set[str](),
}
COMERCIAL_DATABASE = {"DATABASE-1 main", "HOST-4 system", *COMERCIAL_MIGRATIONS}
# What is not there at all is not slow: nobody can tell.
COMERCIAL_UNTIMED = {"HEALTH-3 api"}
# An API that does not answer at all tells no time either.
MIRA_UNREACHED = {"HOST-4 system", *MIRA_API}
COMERCIAL_UNREACHED = {"HOST-4 system", *COMERCIAL_API}
# Everything that reads the commercial platform's Redis.
COMERCIAL_QUEUES = {"QUEUE-1 jobs", "QUEUE-2 jobs"}
COMERCIAL_REDIS = {"CACHE-1 redis", *COMERCIAL_QUEUES}
