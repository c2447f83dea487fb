import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { describe, expect, test } from 'vitest';
import { containerOptions, interpolate, readCompose } from '../../sample/stack/compose-file.ts';
import { compare } from '../../scripts/example/client.ts';
import { seconds } from '../../scripts/example/times.ts';
import { readUnit } from '../../scripts/example/unit.ts';
import { differing } from '../../scripts/example/system-file.ts';
import { recoveredText } from '../../src/cli/break-glass.ts';
import { parseSystem } from '../../src/system/parse.ts';
import { exampleFile, exampleText, keySection } from '../system/keys.ts';

const none = { root: '/run/here', projects: {}, stores: {} };

describe('what the examples compare', () => {
  const acknowledged = new Map([
    [1, 100],
    [2, 200],
    [3, 300],
    [4, 999],
  ]);

  test('the newest records are gone: they are named, and how far back the first of them lies', () => {
    const found = compare(acknowledged, new Set([1, 2, 3, 4]), [1], { brokenAtMs: 500, backAtMs: 1000 });
    expect(found).toMatchObject({ kept: 1, lost: [2, 3], invented: [], lostMs: 300, lostAfterwards: [] });
  });

  test('taken while it was broken, and gone: told apart; taken after it was back, and gone: a fault', () => {
    const later = new Map([...acknowledged, [5, 1001]]);
    const found = compare(later, new Set([1, 2, 3, 4, 5]), [1, 2, 3], { brokenAtMs: 500, backAtMs: 1000 });
    expect(found).toMatchObject({ lost: [], lostWhileBroken: [4], lostAfterwards: [5] });
  });

  test('sent and never acknowledged, and there: owed by nobody, invented by nobody; a record nobody sent is invented', () => {
    expect(
      compare(acknowledged, new Set([1, 2, 3, 4, 5]), [1, 2, 3, 5, 6], { brokenAtMs: 500, backAtMs: 1000 }),
    ).toMatchObject({
      lost: [],
      invented: [6],
      lostMs: 0,
    });
  });

  test('times are told so that a person reads them', () => {
    expect([0, 9.24, 61, 3600, 14_400].map(seconds)).toEqual(['0 s', '9.2 s', '61 s', '60 min', '4 h']);
  });
});

describe('an example’s system file on this machine', () => {
  const text = readFileSync(exampleFile('tbcv'), 'utf8');

  test('a component that is not there leaves its plans; paths move, those of the machine itself stay', () => {
    const here = differing(text, {
      ...none,
      projects: { tbcv: 'p-1' },
      stores: { nfs: { mustBeMounted: undefined } },
      without: ['engine'],
    });
    const system = parseSystem(here + keySection({ identity: true }), 'tbcv.yaml');
    expect(system.components.map(({ name }) => name)).not.toContain('engine');
    expect(system.plans.find(({ name }) => name === 'hourly')?.components).toEqual(['database', 'audit-trail']);
    const written = parse(here) as {
      stores: Record<string, unknown>;
      monitor: unknown;
      components: Record<string, unknown>;
    };
    expect(written.stores['nfs']).toEqual({ kind: 'directory', path: '/run/here/mnt/backup/tbcv', medium: 'nas' });
    expect(written.components['stack']).toMatchObject({ project: 'p-1', directory: '/run/here/opt/tbcv' });
    expect(written.monitor).toEqual({
      disks: [
        { path: '/opt/tbcv', used: '80%' },
        { path: '/', used: '80%' },
      ],
    });
  });

  test('a plan of that component alone is no plan', () => {
    const { plans } = parse(differing(text, { ...none, without: ['checkpoints'] })) as { plans: object };
    expect(Object.keys(plans)).toEqual(['hourly', 'truth', 'config', 'daily']);
  });
});

const COMPOSE = [
  ['watan', 'docker-compose.yml', 'watan'],
  ['tbcv', 'docker-compose.yml', 'tbcv'],
  ['tracktion', 'docker-compose.yml', 'tracktion'],
  ['m2m-connector', 'docker-compose-production.yml', 'm2m'],
] as const;

describe('the examples’ Compose files', () => {
  test.each(COMPOSE)(
    '%s: its images unless others are named, ports and volumes as Compose has them',
    (name, of, project) => {
      const text = readFileSync(new URL(`../../examples/${name}/${of}`, import.meta.url), 'utf8');
      const file = readCompose(
        interpolate(text, { POSTGRES_PASSWORD: 'secret', DATABASE_URL: 'postgres://somewhere' }),
      );
      expect(file.name).toBe(project);
      for (const [service, { image }] of Object.entries(file.services)) {
        expect(image).toMatch(/^(postgres:15|holdfast-example-(services|ledger))$/);
        for (const bind of containerOptions(file, service, { directory: '/d' }, 'n').HostConfig?.Binds ?? []) {
          expect(bind).toMatch(new RegExp(`^(/d/|/var/run/postgresql:|/app/data/|tigerbeetle-data:|${project}_)`));
        }
      }
    },
  );

  test('[G2] btcdecoded on a machine without systemd: its unit as a file is a valid part of the same plans', () => {
    const file = '/run/here/etc/systemd/system/governance-app.service';
    const set = [{ at: ['components', 'unit'], value: { kind: 'files', path: file } }];
    const text = differing(exampleText('btcdecoded'), { ...none, set });
    const { components, plans } = parseSystem(text, 'btcdecoded.yaml');
    expect(components.find(({ name }) => name === 'unit')).toMatchObject({ kind: 'files', path: file });
    expect(plans.find(({ name }) => name === 'application')?.components).toContain('unit');
  });

  test('a service under systemd: program and environment as its unit says', () => {
    const unit = readFileSync(new URL('../../examples/btcdecoded/governance-app.service', import.meta.url), 'utf8');
    expect(readUnit(unit)).toEqual({
      environment: { GOVERNANCE_HOME: '/opt/governance-app', HOST: '127.0.0.1', PORT: '8080' },
      command: ['/usr/bin/node', '/opt/governance-app/bin/btcdecoded.ts'],
    });
  });
});

describe('break glass', () => {
  test.each(['m2m-connector', 'tracktion', 'tbcv', 'btcdecoded', 'watan'])(
    '[M6] %s: whatever its system file says of stores, it can be read on a machine that has only one',
    (name) => {
      const store = { kind: 'directory', path: '/mnt/found', name: 'found', mustBeMounted: false } as const;
      const recovered = parseSystem(recoveredText(exampleText(name), store, '/identity'), 'recovered.yaml');
      expect(recovered.stores.map((one) => one.name)).toEqual(['recovery']);
      expect(recovered.components.length).toBeGreaterThan(3);
    },
  );
});
