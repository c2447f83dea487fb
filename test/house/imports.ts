/** Which room of src/ may import which: the arrows of the design, as data and a function that checks one of them. */
import path from 'node:path';

/** What everything may use. */
const COMMON = ['system', 'policy', 'failures', 'part', 'task-queues', 'observe'];

/** What activities are made of. */
const CAPABILITIES = [
  'workflows',
  'engine',
  'status',
  'notify',
  'sources',
  'postgres',
  'vault',
  'sites',
  'docker',
  'systemd',
  'seal',
  'stores',
  'dns',
  'guard',
];

/** What only the programs themselves may use beside that. */
const PROGRAM = [...CAPABILITIES, 'activities', 'metrics', 'page'];

/** Allowed targets beside the common ones and the room itself. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  cli: PROGRAM,
  worker: PROGRAM,
  page: ['workflows', 'engine', 'status'],
  metrics: ['workflows', 'engine', 'status'],
  status: ['workflows', 'engine', 'notify', 'sites', 'postgres', 'vault', 'docker', 'systemd', 'seal', 'stores'],
  notify: [],
  workflows: ['activities'],
  engine: ['workflows'],
  activities: CAPABILITIES,
  sources: ['postgres', 'docker', 'systemd', 'seal', 'stores'],
  postgres: ['docker'],
  vault: ['docker', 'seal', 'stores'],
  sites: ['postgres', 'docker', 'systemd', 'seal', 'stores', 'vault'],
  guard: ['docker', 'systemd', 'sites', 'stores'],
  dns: ['sources', 'stores'],
  docker: ['guard'],
  systemd: [],
  seal: [],
  stores: ['seal'],
  policy: [],
  system: [],
  observe: [],
  failures: [],
  part: [],
  'task-queues': [],
};

/** Arrows of types only: shapes that cross rooms without code following them. */
const TYPE_ARROWS: Readonly<Record<string, readonly string[]>> = {
  workflows: ['activities', 'vault', 'sources', 'docker'],
  docker: ['vault'],
  sources: ['vault', 'workflows'],
  vault: ['workflows'],
  seal: ['vault'],
  policy: ['vault', 'workflows', 'activities', 'sources'],
  observe: ['vault', 'workflows'],
};

const PURE_ROOMS = ['policy', 'workflows'];
/** Node's modules that a room without I/O may use: they compute. */
const HARMLESS = ['node:path', 'node:util', 'node:assert', 'node:crypto'];

export interface Import {
  readonly from: string;
  readonly target: string;
  readonly typeOnly: boolean;
}

const STATEMENT = /^\s*(?:import|export)\s+(type\s+)?(?:[^'";]*?\s+from\s+)?'([^']+)'/gm;
const DYNAMIC = /\bimport\(\s*'([^']+)'/g;

/** Every import of a file; relative targets are made relative to the root. */
export function importsOf(file: string, text: string): Import[] {
  const resolve = (target: string): string =>
    target.startsWith('.') ? path.posix.normalize(path.posix.join(path.posix.dirname(file), target)) : target;
  const statements = [...text.matchAll(STATEMENT)].map((match) => ({
    from: file,
    target: resolve(match[2] ?? ''),
    typeOnly: match[1] !== undefined,
  }));
  const dynamic = [...text.matchAll(DYNAMIC)].map((match) => ({
    from: file,
    target: resolve(match[1] ?? ''),
    typeOnly: false,
  }));
  return [...statements, ...dynamic];
}

/** The first name below src/, without an extension: `src/vault/chunks.ts` is in `vault`, `src/cli.ts` in `cli`. */
export function roomOf(file: string): string | undefined {
  return /^src\/([^/]+?)(?:\.ts)?(?:\/|$)/.exec(file)?.[1];
}

/** Why an import breaks the rule, or undefined when it is allowed. */
export function violation(given: Import): string | undefined {
  const room = roomOf(given.from);
  if (room === undefined) return undefined;
  const allowed = ARROWS[room];
  if (allowed === undefined) return `${given.from}: the room ${room} is not in the import rule`;
  if (given.target.startsWith('node:')) {
    const harmless = !PURE_ROOMS.includes(room) || given.typeOnly || HARMLESS.includes(given.target);
    return harmless ? undefined : `${given.from} can do I/O: it imports ${given.target}`;
  }
  const target = roomOf(given.target);
  if (target === undefined) {
    const leaves = given.target.startsWith('..') || /^(test|scripts|examples)\//.test(given.target);
    return leaves ? `${given.from} imports ${given.target} from outside src` : undefined;
  }
  if (target === room || COMMON.includes(target) || allowed.includes(target)) {
    const needsType = room === 'workflows' && target === 'activities' && !given.typeOnly;
    return needsType ? `${given.from} imports more than types of ${given.target}` : undefined;
  }
  if (given.typeOnly && TYPE_ARROWS[room]?.includes(target) === true) return undefined;
  return `${given.from} imports ${given.target}: ${room} may not use ${target}`;
}
