/** A volume with a writer in Docker: frozen, captured, released, restored, started, on real workers. */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { HostContext } from '../../src/activities/host-context.ts';
import type { Run } from '../../src/activities/shell.ts';
import { runChecks, runReconcile } from '../../src/activities/validation/run-checks.ts';
import type { AsideAnswer } from '../../src/cli/aside-texts.ts';
import { log } from '../../src/observe/log.ts';
import type { AuditLog } from '../../src/status/audit-log.ts';
import type { BackupResult, RestorePlan, RestoreResult } from '../../src/workflows/contract.ts';
import { dockerCorner, type DockerCorner } from '../support/docker.ts';
import { systemFrom } from '../system/small-system.ts';
import { waitingFor } from '../workflows/play.ts';
import { eventually } from '../workflows/stage.ts';
import { makeSite, type Site } from './site.ts';

/** Counts in a file for ever; healthy as long as the file is a number, and it falls over when it is not. */
const WRITER = [
  "trap 'exit 0' TERM",
  'while :; do n=$(cat /data/count 2>/dev/null || echo 0)',
  'case "$n" in *[!0-9]*) exit 3;; esac',
  'echo $((n + 1)) > /data/count.new && mv /data/count.new /data/count',
  'sleep 0.05 & wait $!',
  'done',
].join('\n');

let corner: DockerCorner;
let site: Site;
let volume: string;
let writer: string;

beforeAll(async () => {
  corner = await dockerCorner();
  volume = await corner.volume();
  writer = await corner.container({ script: WRITER, binds: [`${volume}:/data`], healthcheck: 'test -s /data/count' });
  site = await makeSite(() =>
    [
      'keepAside: 1s',
      'components:',
      '  counter:',
      '    kind: volume',
      '    tier: critical',
      `    volume: ${volume}`,
      '    quiesce: { mode: pause, budget: 60s }',
      'plans:',
      '  daily:',
      '    components: [counter]',
      '    stores: [disk]',
      '    keep: { last: 5 }',
      '  stopped:',
      '    components: [counter]',
      '    quiesce: { mode: stop, budget: 60s }',
      '    stores: [disk]',
      '    keep: { last: 5 }',
    ].join('\n'),
  );
  await site.startWorkers();
  await eventually('the writer has counted', async () => (await count().catch(() => 0)) > 3 || undefined);
});

afterAll(async () => {
  await site[Symbol.asyncDispose]();
  await corner.cleanUp();
});

async function file(): Promise<string> {
  const facts = await corner.docker.volume(volume);
  if (facts?.path === undefined) throw new Error('the volume has no path');
  return path.join(facts.path, 'count');
}

async function count(): Promise<number> {
  return Number(await readFile(await file(), 'utf8'));
}

async function grows(): Promise<void> {
  const before = await count();
  await eventually('the writer goes on', async () => (await count()) > before || undefined);
}

describe('a volume in use', () => {
  test('paused and stopped: captured in one freeze each, downtime told, the writer goes on [M2]', async () => {
    for (const plan of ['daily', 'stopped']) {
      const result = await site.run<BackupResult>('backup', { plan });
      expect(result).toMatchObject({ outcome: 'done', verified: { ok: true } });
      expect(result.downtimeMs).toBeGreaterThan(0);
      expect(await corner.state(writer)).toBe('running');
      await grows();
    }
  });

  test('[T9] checks in the container of a service: its own shell and files, the exit and the end of what it said; only the stand-in of a copy is asked', async () => {
    const name = (await corner.docker.inspect(writer))?.name ?? '';
    const command = (script: string, within = '60s'): string =>
      `{ command: [sh, -c, ${JSON.stringify(script)}], service: ${name}, within: ${within} }`;
    const system = systemFrom('shop', [
      'stores: { nas: { kind: directory, path: /mnt/nas } }',
      `components: { counter: { kind: volume, volume: ${volume} }, stack: { kind: compose, project: shop, directory: /srv } }`,
      'plans: { daily: { components: [counter], stores: [nas] } }',
      'checks:',
      `  counts: ${command('test "$(cat /data/count)" -gt 0 && echo "$HOLDFAST_SYSTEM $HOLDFAST_PLACE"')}`,
      `  broken: ${command('echo said; echo broken >&2; exit 3')}`,
      `  slow: ${command('sleep 600', '1s')}`,
      'reconcile:',
      `  numbers: ${command(`echo '{"name":"count","expected":0,"found":1}'; exit 1`)}`,
    ]);
    const host = { host: 'local', system: () => Promise.resolve(system), docker: () => corner.docker };
    const context = host as unknown as HostContext;
    const run: Run = { signal: new AbortController().signal, report: () => undefined, attempt: 1, log: log('test') };
    const shop = { system: 'shop', host: 'local' };
    const live = await runChecks(context, shop, run);
    expect(live.map(({ name: check, ok, detail }) => [check, ok, detail])).toEqual([
      ['counts', true, 'exit 0: shop live'],
      ['broken', false, 'exit 3: said | broken'],
      ['slow', false, 'not finished after 1 s'],
    ]);
    const copied = await runChecks(context, { ...shop, place: { containers: { [name]: writer } } }, run);
    expect(copied[0]).toMatchObject({ ok: true, detail: 'exit 0: shop isolated' });
    const none = await runChecks(context, { ...shop, place: {} }, run);
    expect(none.map(({ skipped }) => skipped)).toEqual([true, true, true]);
    vi.stubEnv('HOLDFAST_HOME', path.join(site.directory, 'home'));
    expect(await runReconcile(context, shop, run)).toMatchObject([{ outcome: 'differs', differenceCount: 1 }]);
    vi.unstubAllEnvs();
    await corner.docker.pause(writer);
    const [stopped] = await runChecks(context, shop, run);
    expect(stopped).toMatchObject({ ok: false, detail: `no container of the service ${name} runs` });
    await corner.docker.unpause(writer);
  });

  test('what an operator has paused stays paused after a backup', async () => {
    await corner.docker.pause(writer);
    expect((await site.run<BackupResult>('backup', { plan: 'daily' })).outcome).toBe('done');
    expect(await corner.state(writer)).toBe('paused');
    await corner.docker.unpause(writer);
    await grows();
  });

  test('data corrupted and the writer fallen over: the plan names both, after approval it counts on [M5] [M6]', async () => {
    const { backup, pointAt } = await site.run<BackupResult>('backup', { plan: 'daily' });
    const captured = await count();
    await eventually('the writer falls over', async () => {
      // Again and again, because the writer may just be putting its own number in place.
      await writeFile(await file(), 'not a number');
      return (await corner.state(writer)) === 'exited' || undefined;
    });

    const handle = await site.start('restore', { backup });
    await waitingFor(handle, 'approval');
    const plan = await handle.query<RestorePlan>('plan');
    expect(plan.pointAt).toBe(pointAt);
    expect(plan.actions.map(({ action }) => action)).toEqual(['restore', 'stop', 'swap', 'start']);
    await handle.executeUpdate('approve', { args: [{ digest: plan.digest, by: 'ann' }] });
    const result = (await handle.result()) as RestoreResult;
    for (const aside of result.aside) corner.alsoVolume(aside);
    expect(result).toMatchObject({ outcome: 'restored' });
    expect(result.aside).toHaveLength(1);
    expect(await corner.state(writer)).toBe('running');
    const restored = await count();
    expect(restored).toBeGreaterThan(0);
    expect(Math.abs(restored - captured)).toBeLessThan(10_000);
    await grows();

    // It goes with a later backup, but not while a container, even a stopped one, has it.
    const [aside = ''] = result.aside;
    const looker = await corner.container({ binds: [`${aside}:/data`], started: false });
    await sleep(1_100);
    expect((await site.run<BackupResult>('backup', { plan: 'daily' })).outcome).toBe('done');
    expect(await corner.docker.volume(aside)).toBeDefined();
    const listed = JSON.parse(await site.holdfast('aside', site.system, '--json')) as AsideAnswer;
    const stays = { component: 'counter', place: aside, state: 'stays' };
    expect(listed.kept).toMatchObject([{ ...stays, why: expect.stringContaining('belongs to') as string }]);
    expect(listed.kept[0]?.sizeBytes).toBeGreaterThan(0);
    await expect(site.holdfast('aside', site.system, '--remove')).rejects.toMatchObject({ code: 1 });
    await corner.docker.removeContainer(looker);
    expect((await site.run<BackupResult>('backup', { plan: 'daily' })).outcome).toBe('done');
    expect(await corner.docker.volume(aside)).toBeUndefined();
    const { events } = JSON.parse(await site.holdfast('audit', site.system, '--json')) as AuditLog;
    expect(events.map(({ event }) => event).filter(({ what }) => what === 'done')).toMatchObject([
      { operation: 'kept aside', outcome: 'removed', about: expect.stringContaining(aside) as string },
    ]);
    await grows();
  });
});
