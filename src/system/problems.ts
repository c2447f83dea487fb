/** What is wrong with a system file, as an operator reads it: where, what, and what to write instead. */
import type { z } from 'zod';
import { SECRET_WANTED } from './schema.ts';
import { DURATION_WANTED } from './schema-parts.ts';

export type ProblemPath = readonly (string | number)[];

export interface Problem {
  /** Keys from the top of the file; where a key itself is wrong, the path ends with that key. */
  readonly path: ProblemPath;
  /** True: the key is meant, not its value. */
  readonly atKey: boolean;
  readonly message: string;
}

export interface PlacedProblem {
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** Values of these keys are or hold secrets when written wrongly, so they are never repeated. */
const SECRET_KEYS: ReadonlySet<string | number> = new Set([
  'keys',
  'chunkIdKey',
  'signer',
  'identity',
  'accessKeyId',
  'secretAccessKey',
  'endpoint',
  'password',
  'keeper',
  'credentials',
  'accountKey',
  'sasToken',
  'privateKey',
  'url',
  'signingKey',
]);

/** Problems of zod's issues, each with the nearest known word where a word is wrong. `root` is the parsed file. */
export function problemsOfIssues(issues: readonly z.core.$ZodIssue[], root: unknown): Problem[] {
  return issues.flatMap((issue) => problemsOfIssue(issue, root));
}

function problemsOfIssue(issue: z.core.$ZodIssue, root: unknown): Problem[] {
  const path = issue.path as ProblemPath;
  const at = (message: string): Problem => ({ path, atKey: false, message });
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ path: [...path, key], atKey: true, message: unknownKey(key, path, root) }));
  }
  if (issue.code === 'invalid_union') return problemsOfUnion(issue, root);
  if (issue.code === 'invalid_value') {
    const allowed = issue.values.map((value) => `\`${String(value)}\``).join(', ');
    return [at(`${shown(path, root)}: write ${allowed}${guessValue(issue.values, path, root)}`)];
  }
  if (issue.code === 'invalid_type') {
    if (isMissing(path, root)) return [missingKey(path)];
    const own = issue.message === DURATION_WANTED ? issue.message : wantedType(issue.expected);
    return [at(`${shown(path, root)}: ${own}`)];
  }
  return [at(`${shown(path, root)}: ${issue.message}`)];
}

function problemsOfUnion(issue: z.core.$ZodIssueInvalidUnion, root: unknown): Problem[] {
  const path = issue.path as ProblemPath;
  if (issue.message === SECRET_WANTED) return [secretProblem(issue, root)];
  const value = valueAt(root, path);
  if (issue.discriminator !== undefined) {
    const options = 'options' in issue && Array.isArray(issue.options) ? issue.options : [];
    const list = options.map((option) => `\`${String(option)}\``).join(', ');
    if (value === undefined)
      return [{ path, atKey: false, message: `\`${pathText(path)}\` is missing: write ${list}` }];
    return [{ path, atKey: false, message: `${shown(path, root)}: write ${list}${guessValue(options, path, root)}` }];
  }
  // Of several shapes the one meant is the one that fits the value's type; there is one scalar and one map.
  const fitting = issue.errors.filter(
    (errors) => !errors.some((e) => e.path.length === 0 && e.code === 'invalid_type'),
  );
  const [chosen] = fitting.length > 0 ? fitting : issue.errors;
  const prefixed = (chosen ?? []).map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] }));
  if (fitting.length > 0 && prefixed.length > 0) return problemsOfIssues(prefixed, root);
  return [{ path, atKey: false, message: `${shown(path, root)}: a ${typeName(value)} does not fit here` }];
}

/** Two different mistakes: a literal where a reference is wanted, and a reference that is written wrongly. */
function secretProblem(issue: z.core.$ZodIssueInvalidUnion, root: unknown): Problem {
  const path = issue.path as ProblemPath;
  const value = valueAt(root, path);
  const where = `\`${pathText(path)}\``;
  const message =
    typeof value === 'object' && value !== null
      ? `${where} is not a reference that can be used: ${SECRET_WANTED.replace(/^write a reference: /, 'write one of ')}`
      : `${where} holds a value where a reference is wanted (the value is not shown; treat it as exposed): ${SECRET_WANTED}`;
  return { path, atKey: false, message };
}

function missingKey(path: ProblemPath): Problem {
  return {
    path,
    atKey: false,
    message: `\`${pathText(path)}\` is missing: ${MISSING[String(path.at(-1))] ?? 'add it'}`,
  };
}

const MISSING: Readonly<Record<string, string>> = {
  system: 'add `system: <name>` at the top',
  stores: 'add `stores:` with at least one store, such as `nas: { kind: directory, path: /mnt/nas/vault }`',
  components: 'add `components:` with what is to be protected',
  plans: 'add `plans:` with at least one plan',
  keys: 'run `holdfast init <this file>`, which makes the keys and writes the section',
  kind: 'say what kind it is',
};

function unknownKey(key: string, path: ProblemPath, root: unknown): string {
  const where = path.length === 0 ? '' : ` in \`${pathText(path)}\``;
  const known = knownKeys(path, root);
  const guess = nearest(key, known);
  if (guess !== undefined) return `\`${key}\`${where} is not known; did you mean \`${guess}\`?`;
  return `\`${key}\`${where} is not known; remove it${known.length > 0 ? ` (known: ${known.join(', ')})` : ''}`;
}

function guessValue(options: readonly unknown[], path: ProblemPath, root: unknown): string {
  const value = valueAt(root, path);
  if (typeof value !== 'string' || isSecretPath(path)) return '';
  const guess = nearest(value, options.map(String));
  return guess === undefined ? '' : `; did you mean \`${guess}\`?`;
}

function wantedType(expected: string): string {
  const words: Readonly<Record<string, string>> = {
    object: 'write a map of `key: value` lines',
    record: 'write a map of `name:` lines',
    array: 'write a list, such as [one, two]',
    string: 'write a text (in quotes when it looks like a number)',
    boolean: 'write `true` or `false`',
    int: 'write a whole number',
    number: 'write a number',
  };
  return words[expected] ?? `write a value of type ${expected}`;
}

/** The path and, where it can't be a secret, the value that was found. */
function shown(path: ProblemPath, root: unknown): string {
  const where = path.length === 0 ? 'the file' : `\`${pathText(path)}\``;
  const value = valueAt(root, path);
  if (isSecretPath(path) || value === undefined || looksSecret(value)) return where;
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') {
    return `${where} is a ${typeName(value)}`;
  }
  const text = String(value);
  return `${where} is \`${text.length > 40 ? `${text.slice(0, 40)}…` : text}\``;
}

function looksSecret(value: unknown): boolean {
  return typeof value === 'string' && /AGE-SECRET-KEY|PRIVATE KEY|:\/\/[^/]*@/i.test(value);
}

function isSecretPath(path: ProblemPath): boolean {
  return path.some((part) => SECRET_KEYS.has(part));
}

function typeName(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'list' : typeof value === 'object' ? 'map' : typeof value;
}

function isMissing(path: ProblemPath, root: unknown): boolean {
  return path.length > 0 && valueAt(root, path) === undefined;
}

export function valueAt(root: unknown, path: ProblemPath): unknown {
  let value = root;
  for (const part of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<string | number, unknown>)[part];
  }
  return value;
}

/** `plans.daily.components[1]`. */
export function pathText(path: ProblemPath): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    return text === '' ? part : `${text}.${part}`;
  }, '');
}

/** The keys that a map may have, by where it is. Kept beside the schema by a test. */
function knownKeys(path: ProblemPath, root: unknown): readonly string[] {
  const [section, , inner] = path;
  const kind = (value: unknown): string => String((value as { kind?: unknown } | undefined)?.kind);
  const own = valueAt(root, path);
  if (path.length === 0) return KEYS['file'] ?? [];
  if ((section === 'checks' || section === 'reconcile') && path.length > 1) {
    return KEYS[['validation', section, ...path.slice(2)].join('.')] ?? [];
  }
  if (section === 'cleanPoint' && path.length > 2) return KEYS['validation.checks.sql'] ?? [];
  if (section === 'objectives' && path.length > 1) return KEYS[`objectives.${String(path[1])}`] ?? [];
  if (inner === 'maintainer') return KEYS[`maintainer.${kind(valueAt(root, path.slice(0, 2)))}`] ?? [];
  if (section === 'maintenance' && path.length > 1) {
    return KEYS[path[1] === 'verify' ? 'maintenance.verify' : 'schedule'] ?? [];
  }
  if (path.at(-2) === 'keepIn') return KEYS['keep'] ?? [];
  if (path.at(-2) === 'disks') return KEYS['disk'] ?? [];
  if (section === 'notify' && path.length === 2) return KEYS[`channel.${kind(own)}`] ?? [];
  if (section === 'escalation' && path.at(-2) === 'classes') return KEYS['escalation.class'] ?? [];
  if (section === 'escalation' && path.at(-2) === 'levels') return KEYS['level'] ?? [];
  if (section === 'components' && inner === 'health' && path.length > 3) {
    return KEYS[path.length === 4 ? 'unit.health' : 'validation.checks.http'] ?? [];
  }
  if (inner === 'check') return KEYS[`check.${kind(own)}`] ?? [];
  if (typeof path.at(-1) === 'string' && KEYS[String(path.at(-1))] !== undefined)
    return KEYS[String(path.at(-1))] ?? [];
  if (section === 'components') return KEYS[`component.${kind(own)}`] ?? [];
  if (section === 'stores') return KEYS[`store.${kind(own)}`] ?? [];
  if (section === 'drills' && path.length === 2) return KEYS['drill'] ?? [];
  if (section === 'housekeeping') return KEYS['housekeepingTask'] ?? [];
  if (section === 'plans') return KEYS['plan'] ?? [];
  return [];
}

const COMPONENT = ['kind', 'tier', 'host', 'after'];

const STORE = ['kind', 'place', 'medium', 'parallelism', 'bandwidth', 'verifyEvery', 'maintainedBy'];
const BUCKET = [...STORE, 'prefix', 'endpoint', 'storageClass', 'immutable', 'maintainer'];
const CHANNEL = ['kind', 'on', 'template'];
const POLICY = ['levels', 'countFrom', 'repeat', 'settle', 'acknowledgedFor'];
const S3_LOGIN = ['accessKeyId', 'secretAccessKey'];
const GCS_LOGIN = ['credentials'];
const AZURE_LOGIN = ['accountKey', 'sasToken'];

const SCHEDULE = ['cron', 'every', 'offset', 'timeZone', 'jitter', 'catchUp', 'paused'];

export const KEYS: Readonly<Record<string, readonly string[]>> = {
  file: [
    'system',
    'site',
    'hosts',
    'stores',
    'keys',
    'components',
    'plans',
    'maintenance',
    'compose',
    'approval',
    'notify',
    'escalation',
    'rule',
    'monitor',
    'prices',
    'housekeeping',
    'checks',
    'reconcile',
    'objectives',
    'drills',
    'cleanPoint',
    'failover',
    'keepAside',
  ],
  'component.volume': [...COMPONENT, 'volume', 'quiesce', 'exclude', 'check'],
  'component.files': [...COMPONENT, 'path', 'include', 'exclude', 'minimumAge', 'exceptComponents'],
  'component.sqlite': [...COMPONENT, 'path', 'requiredTables', 'checks', 'usedBy'],
  'component.compose': [...COMPONENT, 'project', 'directory', 'files', 'healthTimeout', 'saveImages'],
  'component.systemd': [...COMPONENT, 'units', 'scope', 'user', 'keepUp', 'health', 'healthTimeout'],
  'component.postgres': [
    ...COMPONENT,
    'method',
    'server',
    'databases',
    'tables',
    'tableChecksums',
    'jobs',
    'dataDirectory',
    'wal',
    'checks',
    'usedBy',
  ],
  server: [
    'address',
    'port',
    'tls',
    'caFile',
    'maintenanceDatabase',
    'container',
    'service',
    'project',
    'tools',
    'backup',
    'restore',
  ],
  backup: ['user', 'password'],
  restore: ['user', 'password'],
  wal: ['mode', 'slot', 'archiveDirectory', 'every', 'slotBound', 'store'],
  checks: ['requiredTables', 'minimumRows', 'assertions'],
  'unit.health': ['http', 'command'],
  'check.ledger': ['kind', 'file', 'image'],
  'check.tigerbeetle': ['kind', 'file', 'binary', 'image'],
  'check.command': ['kind', 'command', 'timeout'],
  'store.directory': [...STORE, 'path', 'mustBeMounted'],
  'store.s3': [...BUCKET, ...S3_LOGIN, 'region', 'pathStyle', 'caFile', 'bucket'],
  'store.gcs': [...BUCKET, ...GCS_LOGIN, 'bucket'],
  'store.azure': [...BUCKET, ...AZURE_LOGIN, 'account', 'container'],
  'store.sftp': [...STORE, 'host', 'port', 'user', 'path', 'hostKey', 'privateKey', 'password'],
  'maintainer.s3': S3_LOGIN,
  'maintainer.gcs': GCS_LOGIN,
  'maintainer.azure': AZURE_LOGIN,
  immutable: ['mode', 'for'],
  plan: ['components', 'stores', 'schedule', 'onChange', 'quiesce', 'keep', 'keepIn', 'verify', 'git', 'rpo', 'limits'],
  limits: ['newest', 'proved', 'copy', 'walGap', 'sizeChange'],
  monitor: ['disks', 'totalSize', 'clock', 'ping'],
  disk: ['path', 'host', 'used', 'free'],
  ping: ['url', 'every', 'tellFailure'],
  git: ['repository', 'branch', 'include', 'exclude', 'variables', 'remote'],
  housekeepingTask: ['component', 'units', 'olderThan', 'keepAtLeast', 'include', 'exclude', 'stores'],
  drill: ['schedule', 'plan', 'olderThan', 'components', 'startStack', 'freshBackup', 'tellBefore', 'within'],
  keep: ['last', 'hourly', 'daily', 'weekly', 'monthly', 'yearly', 'within', 'tags', 'proved'],
  'channel.slack': [...CHANNEL, 'url'],
  'channel.webhook': [...CHANNEL, 'url', 'signingKey'],
  'channel.email': [...CHANNEL, 'server', 'port', 'tls', 'caFile', 'user', 'password', 'from', 'to', 'subject'],
  'channel.command': [...CHANNEL, 'command', 'timeout'],
  escalation: [...POLICY, 'classes'],
  'escalation.class': POLICY,
  level: ['name', 'after', 'notify', 'contact', 'action'],
  rule: ['copies', 'media', 'offsite', 'immutable', 'errors'],
  quiesce: ['mode', 'budget'],
  schedule: SCHEDULE,
  maintenance: ['prune', 'copy', 'verify', 'housekeeping', 'checklists', 'monitor'],
  'maintenance.verify': [...SCHEDULE, 'store', 'level', 'all', 'heal'],
  'validation.checks': ['http', 'sql', 'command', 'service', 'inDrills', 'host', 'within', 'severity'],
  'validation.checks.http': ['url', 'status', 'json', 'contains'],
  'validation.checks.sql': ['component', 'query', 'database', 'equals', 'atLeast', 'atMost', 'notEmpty'],
  'validation.reconcile': ['sql', 'command', 'service', 'inDrills', 'host', 'within'],
  'validation.reconcile.sql': ['component', 'query', 'database'],
  objectives: ['rto', 'tiers', 'components'],
  'objectives.tiers': ['critical', 'important', 'reference'],
  cleanPoint: ['components', 'command', 'queries', 'entropy', 'changes', 'backups', 'within', 'limit'],
  approval: ['limit', 'fourEyes'],
  keys: ['recipients', 'chunkIdKey', 'signer', 'keeper', 'identity', 'rootFingerprint'],
};

/** The known word that is nearest, when it is near enough to be meant. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const limit = word.length < 3 ? 0 : Math.floor(word.length / 3);
  let best: string | undefined;
  let bestDistance = limit + 1;
  for (const candidate of known) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Insertions, deletions, replacements and swaps of neighbours. */
function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const above = rows[i - 1] ?? [];
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let least = Math.min((above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (above[j - 1] ?? 0) + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        least = Math.min(least, (rows[i - 2]?.[j - 2] ?? 0) + 1);
      }
      row.push(least);
    }
    rows.push(row);
  }
  return rows[a.length]?.[b.length] ?? 0;
}
