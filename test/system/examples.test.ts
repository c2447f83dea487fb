import { existsSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { declaredSchedules } from '../../src/policy/schedules.ts';
import { parseSystem } from '../../src/system/parse.ts';
import type { System } from '../../src/system/types.ts';
import { exampleText } from './keys.ts';

const EXAMPLES = new URL('../../examples/', import.meta.url);
function example(name: string): System {
  return parseSystem(exampleText(name), `${name}.yaml`);
}

function component(system: System, name: string) {
  return system.components.find((one) => one.name === name);
}

function plans(system: System) {
  return Object.fromEntries(
    system.plans.map(({ name, schedule, keep, rpoSeconds }) => [name, { cron: schedule?.cron, keep, rpoSeconds }]),
  );
}

describe('the examples', () => {
  it('every one of them loads once it has keys', () => {
    const own = readdirSync(EXAMPLES).filter((name) => existsSync(new URL(`${name}/${name}.yaml`, EXAMPLES)));
    const names = [...own, 'model'];
    expect(names.sort()).toEqual(['btcdecoded', 'm2m-connector', 'model', 'tbcv', 'tracktion', 'watan']);
    for (const name of names) expect(example(name).components.length).toBeGreaterThan(1);
  });

  it('[T1] tracktion: weekly and daily backups in UTC, the log far more often than every 15 minutes', () => {
    const system = example('tracktion');
    const cluster = component(system, 'cluster');
    expect(cluster).toMatchObject({ kind: 'postgres', method: 'base', tier: 'critical' });
    expect(cluster).toMatchObject({
      wal: { mode: 'stream', everySeconds: 5, store: 'primary', slot: 'holdfast_cluster' },
    });
    expect(plans(system)).toMatchObject({
      weekly: { cron: '0 2 * * SUN', keep: { weekly: 4 } },
      daily: { cron: '0 2 * * MON-SAT', keep: { daily: 30 }, rpoSeconds: 86_400 },
    });
  });

  it('[T7] [T8] [B5] [M9] what runs by itself beside the plans: verification, clean-up, copies, housekeeping', () => {
    const times = (name: string) =>
      Object.fromEntries(
        declaredSchedules(example(name))
          .filter(({ start }) => start.operation !== 'backup')
          .map((one) => [one.name, one.written]),
      );
    expect(times('tracktion')).toMatchObject({ 'prune/primary': '0 3 * * MON UTC', verify: '0 6 * * * UTC' });
    expect(times('tbcv')).toMatchObject({
      verify: 'every 6h',
      'copy/offsite': '0 4 * * * UTC',
      'housekeeping/checkpoints': '0 1 * * * UTC',
    });
    for (const name of ['m2m-connector', 'tracktion', 'tbcv', 'btcdecoded', 'watan']) {
      expect(times(name)).toHaveProperty('verify');
      expect(times(name)).toHaveProperty('monitor', 'every 1m');
    }
  });

  it('[T9] tracktion: the tables that a restored database must have', () => {
    const database = component(example('tracktion'), 'database');
    expect(database).toMatchObject({
      checks: { requiredTables: ['audio_files', 'tracklists', 'analysis_results'] },
      usedBy: ['api', 'worker'],
    });
  });

  it('[B1] tbcv: SQLite hourly at five past with its tables, PostgreSQL as the other engine with its archive', () => {
    const system = example('tbcv');
    const requiredTables = ['workflows', 'validation_results', 'recommendations', 'audit_logs'];
    expect(component(system, 'database')).toMatchObject({ kind: 'sqlite', requiredTables });
    expect(component(system, 'engine')).toMatchObject({ wal: { mode: 'archive', everySeconds: 60 } });
    expect(plans(system)['hourly']).toEqual({ cron: '5 * * * *', keep: { hourly: 168 }, rpoSeconds: 3600 });
  });

  it('[B3] [T3] what goes from the machine, and which stores have to give it back first', () => {
    expect(example('tbcv').housekeeping).toMatchObject([
      {
        component: 'checkpoints',
        units: 'entries',
        olderThanSeconds: 7 * 86_400,
        keepAtLeast: 2,
        stores: ['offsite', 'nfs'],
      },
    ]);
    expect(example('tracktion').housekeeping).toMatchObject([
      { olderThanSeconds: 86_400, keepAtLeast: 0, stores: ['cool'] },
    ]);
  });

  it('a file that went would go from its store too with the next prune: refused', () => {
    const text = exampleText('tbcv');
    const of = (keep: string): string => {
      const [before = '', after = ''] = text.split(/(?=\n {2}checkpoints:\n {4}components)/);
      return before + after.replace(/keep: \{[^}]*\}/, `keep: ${keep}`);
    };
    for (const keep of ['{ last: 50 }', '{ daily: 1 }', '{ within: 2h }']) {
      expect(() => parseSystem(of(keep), 'tbcv.yaml')).toThrow(/what goes would soon go from `offsite` too/);
    }
    for (const keep of ['{ daily: 2 }', '{ last: 1, within: 30d }']) {
      expect(parseSystem(of(keep), 'tbcv.yaml').housekeeping).toHaveLength(1);
    }
  });

  it('[G2] btcdecoded: a dump, the cluster with its log, and SQLite, kept for 30 days', () => {
    const system = example('btcdecoded');
    expect(component(system, 'database')).toMatchObject({ method: 'dump', databases: ['governance'] });
    expect(component(system, 'cluster')).toMatchObject({ method: 'base', wal: { mode: 'stream' } });
    expect(plans(system)['databases']?.keep).toEqual({ daily: 30 });
    // Of the guide: 15 minutes of the databases, an hour of the application.
    expect([plans(system)['votes']?.rpoSeconds, plans(system)['application']?.rpoSeconds]).toEqual([900, 3600]);
  });

  it('[W1] watan: dumped in its Compose service, everything once a day, wallets every hour, with their numbers kept', () => {
    const system = example('watan');
    const tools = { kind: 'service', project: 'watan', service: 'postgres' };
    expect(component(system, 'full')).toMatchObject({ method: 'dump', server: { tools }, tables: [] });
    expect(component(system, 'wallets')).toMatchObject({ server: { tools }, tables: ['users', 'deposit'] });
    expect(plans(system)).toMatchObject({
      full: { cron: '15 3 * * *', keep: { last: 7 }, rpoSeconds: 26 * 3600 },
      wallets: { cron: '5 * * * *', keep: { last: 48 }, rpoSeconds: 90 * 60 },
    });
  });
});
