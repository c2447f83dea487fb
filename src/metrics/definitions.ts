/**
 * Every metric of Holdfast's own: name, type, what it says, by which labels. docs/metrics.md is made of this table. Pure.
 *
 * The first four names are those that the guides ask for; the labels beside theirs tell systems and plans apart. Labels
 * are names of the system files and words of fixed lists, never ids, so that their number is bounded by the files.
 */

export type MetricType = 'counter' | 'gauge' | 'histogram';

/** Where the value comes from, and so what it survives. */
export type MetricOrigin =
  /** Read from the stores: as right after a restart as before it. */
  | 'stores'
  /** Runs that have ended, by the engine's word, once each; the totals are kept in a file. */
  | 'runs'
  /** Asked of the engine. */
  | 'engine'
  /** This process. */
  | 'process';

export interface MetricDefinition {
  readonly name: string;
  readonly type: MetricType;
  readonly help: string;
  readonly labels: readonly string[];
  readonly origin: MetricOrigin;
  /** Upper bounds of a histogram. */
  readonly buckets?: readonly number[];
}

const MINUTE = 60;
const HOUR = 3600;
/** From a configuration file to a large restore. */
const DURATION_BUCKETS = [1, 5, 15, 30, MINUTE, 2 * MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE].concat(
  [1, 2, 4, 8, 24].map((hours) => hours * HOUR),
);

type Row = readonly [name: string, type: MetricType, labels: string, help: string];

/** Several of the same labels: what each says, by its name. */
const gauges = (labels: string, helps: Readonly<Record<string, string>>): Row[] =>
  Object.entries(helps).map(([name, help]) => [name, 'gauge', labels, help]);

const RUNS: readonly Row[] = [
  [
    'backup_operations_total',
    'counter',
    'system operation plan status',
    'Operations that have ended, by how: success, failure, skipped, rejected, cancelled or terminated.',
  ],
  [
    'backup_duration_seconds',
    'histogram',
    'system operation plan',
    'From start to end of operations that succeeded, with the time they waited for their turn or for approval.',
  ],
];

const STORES: readonly Row[] = [
  [
    'backup_size_bytes',
    'gauge',
    'system plan backup_type',
    'Size of what the newest backup holds, before deduplication and compression, by kind of component.',
  ],
  [
    'backup_last_success_timestamp',
    'gauge',
    'system operation plan',
    'Unix time in seconds when the operation last succeeded; 0 when it never has.',
  ],
  ...gauges('system plan', {
    holdfast_recovery_point_timestamp_seconds: 'Recovery point of the newest usable backup; 0 when there is none.',
    holdfast_recovery_point_age_seconds: 'How old the newest usable backup is: what would be lost.',
    holdfast_first_backup_due_timestamp_seconds:
      'Of a plan that has just begun and has no backup: until when that is as it should be.',
    holdfast_recovery_point_limit_seconds: 'How old the newest usable backup may become before it is overdue.',
    holdfast_proved_timestamp_seconds:
      'Recovery point of the newest backup that was read back in full, or restored, and found good; 0 when there is none.',
    holdfast_proved_age_seconds:
      'How old the newest backup is that was read back in full, or restored, and found good.',
    holdfast_proved_limit_seconds:
      'How old the newest proved backup may become by the limits of the plan; absent where it has none.',
    holdfast_restore_test_timestamp_seconds:
      'When a backup of the plan was last restored as a test and found good; 0 when never.',
    holdfast_restore_test_age_seconds: 'How long ago a backup of the plan was last restored as a test and found good.',
  }),
  ...gauges('system kind', {
    holdfast_drill_last_success_timestamp_seconds:
      'When the newest drill of the kind ended that passed; 0 when none did.',
    holdfast_drill_passed: '1 when the newest drill of the kind passed, else 0.',
    holdfast_drill_rto_seconds: 'How long the restore of the newest drill of the kind took.',
    holdfast_drill_rto_objective_seconds: 'How long that restore may take; absent where nothing is promised.',
    holdfast_drill_duration_seconds: 'How long the newest drill of the kind took in all, until its report.',
  }),
  ['holdfast_backups', 'gauge', 'system plan store', 'Trusted backups that lie in the store.'],
  ['holdfast_backups_untrusted', 'gauge', 'system', 'Backups whose manifest is damaged or not signed by a known key.'],
  ...gauges('system plan', {
    holdfast_backups_failed_verification: 'Backups with no good copy by their newest verdicts.',
    holdfast_backup_downtime_seconds: 'How long containers did not serve for the newest backup.',
    holdfast_backup_capture_seconds: 'How long the newest backup took from its beginning to its manifest.',
  }),
  ...gauges('system plan component', {
    holdfast_backup_read_bytes: 'Bytes read for the newest backup; what had not changed was not read.',
    holdfast_backup_stored_bytes: 'Bytes that the newest backup added to the store, compressed and sealed.',
  }),
  [
    'holdfast_backup_chunks',
    'gauge',
    'system plan component state',
    'Chunks of the newest backup: new ones, and reused ones that were stored already.',
  ],
  ...gauges('system store', {
    holdfast_store_readable: '1 when the store could be read at the last look, else 0.',
    holdfast_store_missing_backups: 'Backups that the store should have and lacks.',
    holdfast_store_missing_bytes: 'About how much has to be copied into the store.',
    holdfast_store_copy_lag_seconds:
      'How long ago the oldest backup was finished that the store still lacks; 0 when it lacks none.',
    holdfast_store_copy_late: '1 when a copy is later than the objective of its plan, else 0.',
    holdfast_store_bad_objects: 'Objects found damaged or missing and not healed yet.',
    holdfast_store_read_back_ratio: 'The part of the store, from 0 to 1, that was ever read back and compared.',
    holdfast_store_read_back_overdue_ratio:
      'The part of the store, from 0 to 1, that was not read back for longer than the system file allows.',
    holdfast_store_read_back_timestamp_seconds: 'When a part of the store was last read back; 0 when never.',
  }),
  ...gauges('system plan', {
    holdfast_copies: 'Copies of the newest backup, with the live data as one of them.',
    holdfast_copies_rule_kept: '1 when the copies are as the rule asks, else 0.',
  }),
  ...gauges('system component', {
    holdfast_wal_recovery_point_timestamp_seconds:
      'What the server had acknowledged before is stored; 0 when nothing is.',
    holdfast_wal_lag_seconds: 'How far the stored write-ahead log is behind now.',
    holdfast_wal_gaps: 'Gaps in the stored write-ahead log.',
    holdfast_wal_behind: '1 when the log is not received, waits for a person or is too far behind, else 0.',
  }),
];

const ENGINE: readonly Row[] = [
  ['holdfast_engine_up', 'gauge', '', '1 when the Temporal server answers this process, else 0.'],
  ['holdfast_operations_running', 'gauge', 'system operation', 'Operations that run now.'],
  ...gauges('system', {
    holdfast_operations_waiting: 'Operations that wait for a person: an approval or a decision.',
    holdfast_operations_in_trouble: 'Operations with a step that fails and is tried again.',
  }),
  ...gauges('system component', {
    holdfast_wal_received: '1 when the write-ahead log is being received, else 0.',
    holdfast_wal_held_back_bytes: 'Log that the database server keeps for Holdfast: its disk fills when this grows.',
  }),
];

const MONITOR: readonly Row[] = [
  [
    'holdfast_system_file_usable',
    'gauge',
    'system',
    'Whether the system file, as it is now, can be used (1) or nothing of its system is backed up by it (0).',
  ],
  [
    'holdfast_findings',
    'gauge',
    'system check severity',
    'What the newest run of monitor found wrong, by kind of trouble.',
  ],
  [
    'holdfast_monitor_timestamp_seconds',
    'gauge',
    'system',
    'When a run of monitor last judged the system; absent when none has.',
  ],
  [
    'holdfast_incidents_open',
    'gauge',
    'system severity state',
    'Incidents that are not healed: open ones, and acknowledged ones that somebody is on.',
  ],
];

const PROCESS: readonly Row[] = [
  ['holdfast_build_info', 'gauge', 'version node role', 'Always 1; the labels say what runs.'],
  ...gauges('system place', {
    holdfast_filesystem_size_bytes:
      'Size of the file system that holds a directory store, or the state of Holdfast itself (place "state").',
    holdfast_filesystem_available_bytes: 'What this process may still write there.',
  }),
  [
    'holdfast_collector_last_success_timestamp_seconds',
    'gauge',
    'collector system',
    'When the values of this collector were last read without an error; 0 when never.',
  ],
  ['holdfast_collector_errors_total', 'counter', 'collector system', 'Looks that failed since this process began.'],
  ['holdfast_collector_duration_seconds', 'gauge', 'collector system', 'How long the last look took.'],
  ['holdfast_sdk_metrics_up', 'gauge', '', '1 when the metrics of the Temporal SDK are part of this page, else 0.'],
];

const of =
  (origin: MetricOrigin) =>
  ([name, type, labels, help]: Row): MetricDefinition => ({
    name,
    type,
    help,
    labels: labels.split(' ').filter((label) => label !== ''),
    origin,
    ...(type === 'histogram' ? { buckets: DURATION_BUCKETS } : {}),
  });

export const METRICS: readonly MetricDefinition[] = [
  ...RUNS.map(of('runs')),
  ...STORES.map(of('stores')),
  ...[...ENGINE, ...MONITOR].map(of('engine')),
  ...PROCESS.map(of('process')),
];

/** Ends of an operation as `backup_operations_total` counts them. */
export const RUN_STATUSES = ['success', 'failure', 'skipped', 'rejected', 'cancelled', 'terminated'] as const;
export type RunStatus = (typeof RUN_STATUSES)[number];

/** One value of one series. `sinceSeconds` is a Unix time whose age is told, as of the moment of the scrape. */
export type Sample = {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
} & ({ readonly value: number } | { readonly sinceSeconds: number });
