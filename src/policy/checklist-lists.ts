/** The checklists: what is looked at before and after a backup, in a restore test, every month, in an audit. Data. */
import type { Check } from './findings.ts';

/** How the program answers a point; `person`: somebody signs for it. */
export type PointBy =
  /** No finding of these checks. */
  | { readonly by: 'findings'; readonly checks: readonly Check[] }
  /** A restore beside, with its checks, not longer ago than this. */
  | { readonly by: 'restore-test'; readonly withinDays: number }
  | { readonly by: 'alarms' }
  | { readonly by: 'schedules' }
  | { readonly by: 'counted' }
  | { readonly by: 'person' };

export interface Point {
  /** Stays for ever: sign-offs name it. */
  readonly id: string;
  readonly text: string;
  readonly how: PointBy;
  /** What to do about it, or how to look; `{system}` is the system's name. */
  readonly todo: string;
}

export interface Checklist {
  readonly name: string;
  readonly title: string;
  readonly points: readonly Point[];
}

const findings = (...checks: Check[]): PointBy => ({ by: 'findings', checks });
const PERSON: PointBy = { by: 'person' };
const MONTH_DAYS = 31;

const BEFORE: readonly Point[] = [
  {
    id: 'components-answer',
    text: 'Databases, volumes and files answer',
    how: findings('component'),
    todo: 'holdfast doctor {system}',
  },
  {
    id: 'application-healthy',
    text: 'The application runs normally',
    how: PERSON,
    todo: 'Look at its health page and its log.',
  },
  {
    id: 'work-finished',
    text: 'Recent jobs of the application have finished well',
    how: PERSON,
    todo: 'Look at its list of jobs.',
  },
  {
    id: 'no-long-transactions',
    text: 'No transaction has been open for long',
    how: PERSON,
    todo: 'PostgreSQL: SELECT pid, xact_start, query FROM pg_stat_activity ORDER BY xact_start',
  },
  {
    id: 'disk-space',
    text: 'There is room on the disks',
    how: findings('disk'),
    todo: 'Make room, or raise the limit of the disk in `monitor`.',
  },
  { id: 'stores-answer', text: 'Every store can be reached', how: findings('store'), todo: 'holdfast doctor {system}' },
  {
    id: 'rights',
    text: 'Keys and secrets are there, and nobody else may read them',
    how: findings('rights', 'tools'),
    todo: 'holdfast doctor {system}',
  },
  {
    id: 'last-verified',
    text: 'The last backups passed their verification',
    how: findings('corruption', 'proof'),
    todo: 'holdfast verify {system}',
  },
  {
    id: 'alarms',
    text: 'Somebody is told when something goes wrong',
    how: { by: 'alarms' },
    todo: 'Declare `notify` and `escalation` in the system file.',
  },
  {
    id: 'schedules',
    text: 'Backups come round by themselves',
    how: { by: 'schedules' },
    todo: 'Give plans a schedule, or `onChange`.',
  },
];

const AFTER: readonly Point[] = [
  {
    id: 'made',
    text: 'Every plan has a backup that is new enough',
    how: findings('freshness'),
    todo: 'holdfast backup {system} <plan>',
  },
  { id: 'runs', text: 'The last runs ended well', how: findings('run'), todo: 'holdfast logs {system}' },
  { id: 'size', text: 'Their sizes are as usual', how: findings('size'), todo: 'holdfast show {system} latest' },
  {
    id: 'whole',
    text: 'Nothing stored is damaged',
    how: findings('corruption'),
    todo: 'holdfast verify {system} --whole --heal',
  },
  {
    id: 'proved',
    text: 'A backup of every plan was read back, with its checksums, tables and counts',
    how: findings('proof'),
    todo: 'holdfast verify {system}',
  },
  {
    id: 'copies',
    text: 'Copies are where they should be',
    how: findings('copy'),
    todo: 'holdfast copy {system} <store>',
  },
  { id: 'log', text: 'Write-ahead logs are received', how: findings('wal'), todo: 'holdfast status {system}' },
  { id: 'watched', text: 'The engine runs, and watches', how: findings('engine', 'schedule'), todo: 'holdfast up' },
];

const RESTORE_TEST: readonly Point[] = [
  {
    id: 'isolated',
    text: 'The place of the test is cut off from production',
    how: PERSON,
    todo: 'Other names, ports and networks; nothing that writes outward.',
  },
  {
    id: 'newest-chosen',
    text: 'The newest backups are there to be tested',
    how: findings('freshness'),
    todo: 'holdfast backup {system} <plan>',
  },
  {
    id: 'integrity',
    text: 'What is stored is whole',
    how: findings('corruption', 'store'),
    todo: 'holdfast verify {system} --whole',
  },
  {
    id: 'restored',
    text: 'A backup was restored beside, its checks passed, and how long it took is known',
    how: { by: 'restore-test', withinDays: MONTH_DAYS },
    todo: 'holdfast restore {system} --verify-only',
  },
  {
    id: 'samples',
    text: 'Samples of the data are right',
    how: PERSON,
    todo: 'Look up a handful of records that you know.',
  },
  {
    id: 'application',
    text: 'The application starts on it',
    how: PERSON,
    todo: 'holdfast restore {system} --target <place>',
  },
  { id: 'interfaces', text: 'Its interfaces answer', how: PERSON, todo: 'Call those that matter.' },
  { id: 'work', text: 'A piece of its usual work was done on it', how: PERSON, todo: 'One job from beginning to end.' },
  {
    id: 'compared',
    text: 'The outcome is what it was before the backup',
    how: PERSON,
    todo: 'Compare with production.',
  },
];

const MONTHLY: readonly Point[] = [
  {
    id: 'runs',
    text: 'No run has failed that nobody has seen to',
    how: findings('run'),
    todo: 'holdfast logs {system}',
  },
  { id: 'growth', text: 'What is stored grows as expected', how: { by: 'counted' }, todo: 'holdfast storage {system}' },
  {
    id: 'total-size',
    text: 'The stores hold no more than they may',
    how: findings('total-size'),
    todo: 'holdfast storage {system}',
  },
  {
    id: 'restore-test',
    text: 'A restore was tested this month',
    how: { by: 'restore-test', withinDays: MONTH_DAYS },
    todo: 'holdfast restore {system} --verify-only',
  },
  {
    id: 'failover-test',
    text: 'The failover was tested, where there is one',
    how: PERSON,
    todo: 'Quarterly at least.',
  },
  {
    id: 'copies',
    text: 'Copies elsewhere are up to date',
    how: findings('copy'),
    todo: 'holdfast copy {system} <store>',
  },
  {
    id: 'keys',
    text: 'Keys are there, and nobody else may read them',
    how: findings('rights'),
    todo: 'holdfast doctor {system}',
  },
  {
    id: 'kit',
    text: 'The recovery kit is where it should be, and readable',
    how: PERSON,
    todo: 'Open it; compare the fingerprint with `holdfast show {system} latest`.',
  },
  {
    id: 'access',
    text: 'Nobody was at the stores who should not be',
    how: PERSON,
    todo: "Read the provider's access log.",
  },
  {
    id: 'retention',
    text: 'What is kept is still what is wanted',
    how: PERSON,
    todo: 'holdfast prune {system} --dry-run',
  },
  { id: 'documents', text: 'The instructions are still true', how: PERSON, todo: 'Read them as if you were new.' },
  {
    id: 'contacts',
    text: 'The people who would be called are the right ones',
    how: PERSON,
    todo: 'Read `escalation` of the system file.',
  },
  { id: 'alarms', text: 'An alarm reaches them', how: PERSON, todo: 'holdfast notify test {system}' },
];

const AUDIT: readonly Point[] = [
  {
    id: 'fresh',
    text: 'Every plan has a backup that is new enough',
    how: findings('freshness'),
    todo: 'holdfast backup {system} <plan>',
  },
  {
    id: 'readable',
    text: 'Backups can be read',
    how: findings('corruption', 'store'),
    todo: 'holdfast verify {system}',
  },
  {
    id: 'proved',
    text: 'They were proved by reading them back',
    how: findings('proof'),
    todo: 'holdfast verify {system}',
  },
  {
    id: 'restore-test',
    text: 'A restore was tested',
    how: { by: 'restore-test', withinDays: MONTH_DAYS },
    todo: 'holdfast restore {system} --verify-only',
  },
  {
    id: 'disk-space',
    text: 'There is room on the disks',
    how: findings('disk'),
    todo: 'Make room, or raise the limit of the disk in `monitor`.',
  },
];

export const CHECKLISTS: readonly Checklist[] = [
  { name: 'before-backup', title: 'Before a backup', points: BEFORE },
  { name: 'after-backup', title: 'After a backup', points: AFTER },
  { name: 'restore-test', title: 'Restore test', points: RESTORE_TEST },
  { name: 'monthly', title: 'Monthly maintenance', points: MONTHLY },
  { name: 'audit', title: 'Audit', points: AUDIT },
];
