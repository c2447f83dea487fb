import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../src/failures.ts';
import { parseSystem } from '../../src/system/parse.ts';
import { keySection } from './keys.ts';
import { systemFrom } from './small-system.ts';

const LINES = [
  'hosts: [alpha, beta]',
  'stores: { nas: { kind: directory, path: /mnt/nas } }',
  'components:',
  '  database: { kind: sqlite, path: /srv/a.sqlite, host: beta }',
  '  stack: { kind: compose, project: shop, directory: /opt/shop }',
  '  files: { kind: files, path: /srv/files }',
  'plans: { daily: { components: [database], stores: [nas] } }',
];

function problemsOf(...lines: string[]): string[] {
  try {
    systemFrom('shop', [...LINES, ...lines]);
    return [];
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    const { problems } = error.details as { problems: { message: string }[] };
    return problems.map(({ message }) => message);
  }
}

describe('the sections checks, reconcile and objectives', () => {
  it('[M5] [T9] every way to ask: built with its host, its time and what a failure means', () => {
    const { checks, reconcile, objectives } = systemFrom('shop', [
      ...LINES,
      'checks:',
      '  health: { http: { url: "http://localhost:8080/health", json: { dependencies.tigerbeetle: healthy } }, within: 120s }',
      '  tables: { sql: { component: database, query: select count(*) from audio_files, atLeast: 1 }, severity: warning }',
      '  smoke: { command: [./smoke.sh], service: api, within: 30s }',
      'reconcile:',
      '  balances: { command: [./balances.sh], host: beta }',
      '  orders: { sql: { component: database, query: select name from missing } }',
      'objectives: { rto: 4h, tiers: { critical: 1h }, components: { database: 30m } }',
    ]);
    expect(checks).toEqual([
      {
        name: 'health',
        probe: { kind: 'http', url: 'http://localhost:8080/health', json: { 'dependencies.tigerbeetle': 'healthy' } },
        host: 'alpha',
        withinSeconds: 120,
        severity: 'fatal',
      },
      {
        name: 'tables',
        probe: { kind: 'sql', component: 'database', query: 'select count(*) from audio_files', atLeast: 1 },
        host: 'beta',
        withinSeconds: 60,
        severity: 'warning',
      },
      {
        name: 'smoke',
        probe: { kind: 'command', command: ['./smoke.sh'], service: 'api', inDrills: false },
        host: 'alpha',
        withinSeconds: 30,
        severity: 'fatal',
      },
    ]);
    expect(reconcile.map(({ name, host, probe }) => [name, host, probe.kind])).toEqual([
      ['balances', 'beta', 'command'],
      ['orders', 'beta', 'sql'],
    ]);
    expect(objectives).toEqual({ rtoSeconds: 14_400, tiers: { critical: 3600 }, components: { database: 1800 } });
  });

  it('a file without them: nothing is asked, nothing is promised', () => {
    const { checks, reconcile, objectives } = systemFrom('shop', LINES);
    expect({ checks, reconcile, objectives }).toEqual({
      checks: [],
      reconcile: [],
      objectives: { tiers: {}, components: {} },
    });
  });

  it('mistakes: each is told, with what to write instead', () => {
    expect(
      problemsOf(
        'checks:',
        '  none: { within: 5s }',
        '  both: { http: { url: "http://a/" }, command: [x] }',
        '  wish: { sql: { component: database, query: select 1 } }',
        '  what: { sql: { component: files, query: select 1, equals: 1 } }',
        '  who: { sql: { component: databse, query: select 1, atLeast: 3, atMost: 2 } }',
        '  where: { sql: { component: database, query: select 1, equals: 1 }, service: api, host: gamma }',
        '  Name: { command: [x] }',
        'reconcile: { twice: { sql: { component: database, query: select 1, database: shop } } }',
        'objectives: { components: { databas: 1h } }',
      ),
    ).toEqual([
      'write one of `http`, `sql`, `command`; here is none of them',
      'write one of `http`, `sql`, `command`; here is http and command',
      'nothing is wanted of the value: add `equals`, `atLeast`, `atMost` or `notEmpty`',
      '`files` is of the kind files: name a postgres or sqlite component',
      'there is no component `databse`; did you mean `database`?',
      'no value is at least 3 and at most 2: exchange them',
      '`service` belongs to a page or a command: remove it',
      expect.stringContaining('there is no host `gamma`'),
      '`Name`: write a name of a-z, 0-9 and -, starting with a letter',
      'a SQLite file is one database: remove this',
      'there is no component `databas`; did you mean `database`?',
    ]);
  });

  it('an unknown key, deep inside: the nearest known one is named', () => {
    expect(problemsOf('checks: { health: { http: { ulr: "http://a/", url: "http://b/" } } }')).toEqual([
      '`ulr` in `checks.health.http` is not known; did you mean `url`?',
    ]);
    expect(problemsOf('checks: { health: { comand: [x] } }')[0]).toContain('did you mean `command`?');
    expect(problemsOf('objectives: { tiers: { critcal: 1h } }')[0]).toContain('did you mean `critical`?');
    const text = ['system: shop', ...LINES, 'checks: { health: { http: { url: "http://ann:pw@a/" } } }', keySection()];
    expect(() => parseSystem(text.join('\n'), 'x.yaml')).toThrow(/without a user in it/);
    expect(() => parseSystem(text.join('\n'), 'x.yaml')).not.toThrow(/pw/);
  });
});
