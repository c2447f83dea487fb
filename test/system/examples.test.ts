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

  it('[M9] [T12] [B9] [W6] restores are rehearsed: each quarter on a fresh backup, each month, each Friday, of 30 days ago', () => {
    const drills = (name: string) =>
      Object.fromEntries(example(name).drills.map(({ name: kind, schedule, ...one }) => [kind, [schedule?.cron, one]]));
    expect(drills('m2m-connector')).toMatchObject({
      quarterly: ['0 6 10 1,4,7,10 *', { freshBackup: true, tellBeforeSeconds: 86_400, withinSeconds: 4 * 3600 }],
    });
    expect(drills('tracktion')).toMatchObject({ monthly: ['0 8 1 * *', {}] });
    expect(drills('watan')).toMatchObject({ monthly: ['0 7 1 * *', {}] });
    expect(drills('tbcv')).toMatchObject({
      weekly: ['0 22 * * FRI', {}],
      monthly: ['0 23 1 * *', { plan: 'daily', olderThanSeconds: 30 * 86_400 }],
    });
    // As long as the drill of what is 30 days old needs one.
    expect(plans(example('tbcv'))['daily']?.keep).toMatchObject({ daily: 7, weekly: 5, monthly: 12, yearly: 5 });
    for (const name of ['m2m-connector', 'tracktion', 'tbcv']) {
      expect(example(name).notify.some(({ on }) => on.includes('drill failed'))).toBe(true);
    }
  });

  it('[T4] [T6] tracktion: what users have brought, every day for 30 days; Compose files when they change', () => {
    const system = example('tracktion');
    const { files } = plans(system);
    expect(files).toEqual({ cron: '0 3 * * *', keep: { daily: 30 }, rpoSeconds: 86_400 });
    expect(system.plans.find(({ name }) => name === 'files')?.components).toEqual(['audio', 'uploads']);
    expect(component(system, 'stack')).toMatchObject({ kind: 'compose', files: ['docker-compose.yml'] });
  });

  it('[B2] [B4] [B8] tbcv: the truth daily and on change, its trail critical and hourly, settings at three; each with its objective', () => {
    const system = example('tbcv');
    const truth = ['config/*.yaml', 'rules/**', 'plugins/**', 'agents/**', 'validators/**', 'alembic.ini'];
    expect(component(system, 'truth')).toMatchObject({ tier: 'critical', include: truth });
    expect(component(system, 'audit-trail')).toMatchObject({ tier: 'critical', path: '/opt/tbcv/.audit_log.jsonl' });
    expect(system.plans.filter(({ onChange }) => onChange).map(({ name }) => name)).toEqual(['truth', 'config']);
    expect(plans(system)).toMatchObject({
      hourly: { rpoSeconds: 3600 },
      truth: { cron: '0 2 * * *' },
      config: { cron: '0 3 * * *' },
    });
    const { tiers, components } = system.objectives;
    expect([tiers, components]).toMatchObject([{ critical: 3600 }, { truth: 4 * 3600, config: 3600 }]);
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

  it('[G3] btcdecoded: the application without its data, its unit, its logs for ninety days', () => {
    const system = example('btcdecoded');
    expect(component(system, 'application')).toMatchObject({ exclude: ['data/**', 'logs/**'] });
    expect(component(system, 'unit')).toMatchObject({ kind: 'systemd', units: ['governance-app.service'] });
    expect(plans(system)).toMatchObject({
      application: { cron: '20 * * * *', keep: { hourly: 24, daily: 30 } },
      logs: { cron: '40 3 * * *', keep: { withinSeconds: 90 * 86_400 } },
    });
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
