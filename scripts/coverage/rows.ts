/** What each of the five systems asks for, row by row, in a few words. Tests name the rows that they cover in their titles. */

export interface Row {
  readonly row: string;
  readonly what: string;
  /** What of it is not covered, and why. */
  readonly open?: string;
  /** True when nothing of it is covered. */
  readonly whollyOpen?: boolean;
}

export interface CoveredSystem {
  readonly system: string;
  readonly letter: string;
  readonly rows: readonly Row[];
}

const ANOTHER_SITE = 'a move to another site: failover is not built yet';

const rowsOf = (letter: string, rows: readonly (string | Omit<Row, 'row'>)[]): Row[] =>
  rows.map((one, index) => ({ row: `${letter}${index + 1}`, ...(typeof one === 'string' ? { what: one } : one) }));

export const SYSTEMS: readonly CoveredSystem[] = [
  {
    system: 'm2m-connector',
    letter: 'M',
    rows: rowsOf('M', [
      'Components: ledger volume, connector files, wallet, monitoring; no secret in plain text, certificates apart',
      'Plans: hourly, daily with a bounded freeze, weekly with everything stopped, monthly archive, configuration on change',
      'Manifest: date, type, downtime, checksums; its verdict beside it',
      'Stores on S3, Google Cloud Storage and Azure, each with its retention; replication of the bucket',
      'Restore: checksums, stop, new volume, configuration, wallet, start, gated on health; --verify-only',
      {
        what: 'Scenarios: one container down, corrupted data, a new server from nothing; reconciliation after a restore',
        open: `the loss of a data centre: ${ANOTHER_SITE}`,
      },
      { what: 'Failover from one region to another', open: `${ANOTHER_SITE}, only what decides it` },
      'RPO of each component; escalation by the time that an outage lasts',
      'Weekly verification, alarms of backups that are missing or late; a quarterly drill within its window',
      'Troubles: checksum mismatch, volume in use, slow or broken upload, full disk, permissions: told, nothing lost',
    ]),
  },
  {
    system: 'tracktion',
    letter: 'T',
    rows: rowsOf('T', [
      'PostgreSQL: weekly and daily backups in UTC, the log kept continuously, any moment back; least rights; server settings',
      'Audio files: daily, weekly to an archive class, on change; what is in process left out; counts and sizes',
      'Logs: archived once nobody writes them; originals go only after the archive is proved',
      'User data: daily, single files restorable',
      'Configuration: before each deployment, in git, without any secret, a number of versions for each environment',
      'Docker: Compose files, containers, images, volumes',
      'Orchestration: checks before, ordered operations, clean-up, report, messages',
      'Verification every day: checksums, a restore into a scratch database, counts, retention',
      'Restore of the database to a time, of files, of the whole system, with checks and a safety backup',
      'Metrics and the three alerts',
      'Long-term tiers, storage report with costs, encryption, least privilege, a copy on the NAS',
      'Restore test every month with a report; RTO and RPO',
    ]),
  },
  {
    system: 'tbcv',
    letter: 'B',
    rows: rowsOf('B', [
      'SQLite while it is in use: integrity, schema, counts, required tables; PostgreSQL as the other engine',
      'Truth data with git history, the audit trail, logs and reports last',
      'Checkpoints: a week, never the newest two, archived and proved before anything goes',
      'Configuration and `.env`: mode 600, encrypted, no plain copy left',
      'Schedules, verification every six hours, off-site copies, freshness, disk',
      'Off-site: S3 encrypted, a NAS refused while it is not mounted, verified after transfer',
      'Restore: the whole system, the database alone with the current one saved first, to a point in time',
      {
        what: 'Objectives and scenarios: corruption, deletion, hardware, ransomware, partial loss; recovery levels 1 and 2',
        open: `level 3: ${ANOTHER_SITE}`,
      },
      {
        what: 'Tests of restores every week, month and quarter; retention as long as the tests need',
        open: `the quarterly test with a real failover: ${ANOTHER_SITE}`,
      },
      'Checklists, by the program where it can and signed by a person where it can’t; escalation by class',
    ]),
  },
  {
    system: 'btcdecoded',
    letter: 'G',
    rows: rowsOf('G', [
      '3-2-1: three copies, two kinds of media, one off-site, checked and shown',
      'PostgreSQL listed and read after each capture, any moment back; SQLite with its log; 30 days',
      'The application: configuration, migrations, keys, programs, systemd units; the whole machine with exclusions; images',
      'S3 and Google Cloud Storage with lifecycle rules',
      'Recovery of database, SQLite, application, the whole: each stops its service first and starts it last',
      'Verification of every backup, alarms derived from each RPO, total size',
      'Recovery in three phases: assessment, recovery, validation; RTO and RPO of each',
    ]),
  },
  {
    system: 'watan',
    letter: 'W',
    rows: rowsOf('W', [
      'PostgreSQL in a Compose service by the container’s own tools: all of it daily, wallets hourly, never an empty dump',
      'Verification: there, young enough, readable, restored into a scratch database',
      'Exit codes: kept, broken, unexpected',
      'Full restore beside and swapped by name; wallets by themselves for inspection, then rows put back',
      'Audit of ages, readability, restores, disk, with what to do',
      'Hardening: encryption, off-site, rotation of credentials, locks, any moment back, a drill every month',
    ]),
  },
];
