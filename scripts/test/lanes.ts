/**
 * Which tests run beside which. Files of one lane never run at the same time, files of two lanes do: what two files could
 * disturb each other by is therefore in one lane.
 */

/** The projects of vitest.config.ts. */
export type Project = 'unit' | 'servers' | 'databases' | 'sites' | 'examples';

/**
 * The lanes: projects that run one after the other. What only computes takes the processor time that the others leave while
 * they wait, and is through long before them.
 */
export const LANES: readonly (readonly Project[])[] = [['databases'], ['servers'], ['unit', 'sites']];

/** What takes minutes each, and is run by `npm run scenario` and by its own name only: `npm test` leaves it out. */
export const LONG: readonly Project[] = ['examples'];

const all = (rooms: readonly string[]): string[] => rooms.map((room) => `test/${room}/**/*.test.ts`);

/**
 * What shares the machine's Docker engine, or starts PostgreSQL: such tests look for processes by their command lines and
 * for volumes and containers by their names.
 */
const DATABASES = [
  ...all(['postgres', 'docker', 'guard', 'crash', 'bench']),
  'test/scenarios/!(failover*|lost-and-taken|tbcv).test.ts',
  'test/activities/{cluster*,leftovers,monitor,postgres-*,rows-postgres,stack-servers,volume,wal*}.test.ts',
  'test/sources/{volume,compose}.test.ts',
  'test/sites/guard-process.test.ts',
];

/** What starts engines, workers or stores of its own, in directories and on ports of its own. */
const SERVERS = [
  ...all(['engine', 'workflows', 'cli', 'activities', 'demo', 'dns', 'scale', 'scripts']),
  'test/stores/{s3,sftp,gcs,azure}*.test.ts',
  'test/vault/stores.test.ts',
  'test/sites/guard-unit.test.ts',
  'test/page/browser.test.ts',
  'test/scenarios/{lost-and-taken,tbcv}.test.ts',
];

/** Two sites of a system, each with an engine of its own; containers only in a Docker engine of their own. */
const SITES = [...all(['two-sites']), 'test/scenarios/failover*.test.ts'];

/** The five systems from beginning to end. */
const EXAMPLES = all(['examples']);

export interface Selection {
  readonly include: string[];
  readonly exclude: string[];
}

/** What each project runs, as globs; every test belongs to exactly one. */
export const SELECTIONS: Readonly<Record<Project, Selection>> = {
  unit: { include: ['test/**/*.test.ts'], exclude: [...DATABASES, ...SERVERS, ...SITES, ...EXAMPLES] },
  servers: { include: SERVERS, exclude: DATABASES },
  databases: { include: DATABASES, exclude: [] },
  sites: { include: SITES, exclude: [] },
  examples: { include: EXAMPLES, exclude: [] },
};
