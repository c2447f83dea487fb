/**
 * Names led while everything that leads them is struck: the worker killed at every request it sends, before it arrives or
 * after it was carried out; the control plane gone from then on; changes that stay PENDING, are lost or refused.
 */
import { ActivityFailure, ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createDnsActivities } from '../../src/activities/failover/dns.ts';
import type { DnsActivities, DnsPlan } from '../../src/activities/failover/dns-types.ts';
import type { DnsEntry } from '../../src/system/dns-types.ts';
import type { System } from '../../src/system/types.ts';
import type { NamesLed } from '../../src/workflows/failover-contract.ts';
import { leadForward } from '../../src/workflows/failover-names.ts';
import type { FakeRoute53 } from '../support/route53/fake.ts';
import { quietRuntime } from '../workflows/stage.ts';
import { ADDRESS, DnsStage, simple, SITES } from './stage.ts';

quietRuntime();
process.env['HOLDFAST_LOG'] = 'silent';

let stage: DnsStage;
let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'holdfast-dns-'));
  stage = await DnsStage.open();
});
afterAll(async () => {
  await stage.close();
  await rm(directory, { recursive: true, force: true });
});

interface Scene {
  readonly struck: FakeRoute53;
  readonly other: FakeRoute53;
  readonly names: { readonly struck: string; readonly other: string };
  readonly record: string;
  readonly entries: readonly DnsEntry[];
}

async function scene(more: object = {}): Promise<Scene> {
  const [one, two] = [await stage.route53(), await stage.route53()];
  const names = { struck: `ledger.${one.domain}`, other: `ledger.${two.domain}` };
  one.fake.put({ name: names.struck, type: 'A', ttl: 30, values: [ADDRESS.a] });
  two.fake.put({ name: names.other, type: 'A', ttl: 30, values: [ADDRESS.a] });
  const record = path.join(directory, crypto.randomUUID());
  await writeFile(record, `${SITES.a}\n`);
  const entries = [
    ...stage.entries(one.fake, [{ kind: 'route53', records: [simple(names.struck)], ...more }]),
    ...stage.entries(two.fake, [{ kind: 'route53', records: [simple(names.other)] }]),
    ...stage.entries(two.fake, [command(record)]),
  ];
  return { struck: one.fake, other: two.fake, names, record, entries };
}

const command = (record: string): object => ({
  kind: 'command',
  name: 'other provider',
  read: ['cat', record],
  change: ['sh', '-c', `echo $HOLDFAST_SITE > ${record}`],
  verify: ['sh', '-c', `grep -qx $HOLDFAST_SITE ${record}`],
});

/** Ends an attempt as the death of its worker does: what it has kept goes on to the next one. */
class Worker {
  private readonly running = new Set<() => void>();

  dies(): void {
    for (const end of this.running) end();
  }

  /** As the engine tries again: so often, unless it is final. */
  async attempts<O>(times: number, work: () => Promise<O>): Promise<O> {
    let heartbeatDetails: unknown;
    for (let attempt = 1; ; attempt += 1) {
      const environment = new MockActivityEnvironment({ attempt, heartbeatDetails });
      environment.on('heartbeat', (details: unknown) => (heartbeatDetails = details));
      const { promise: death, reject } = Promise.withResolvers<never>();
      const end = (): void => {
        environment.cancel('TIMED_OUT');
        reject(new Error('the worker died'));
      };
      this.running.add(end);
      const running: Promise<O> = environment.run(work);
      running.catch(() => undefined);
      death.catch(() => undefined);
      try {
        return await Promise.race([running, death]);
      } catch (error) {
        const final = error instanceof ApplicationFailure && error.nonRetryable === true;
        if (!final && attempt < times) continue;
        const cause = error instanceof Error ? error : undefined;
        throw new ActivityFailure('it failed', 'dns', '1', 'MAXIMUM_ATTEMPTS_REACHED', 'test', cause);
      } finally {
        this.running.delete(end);
      }
    }
  }
}

async function lead({ entries }: Scene, worker = new Worker()): Promise<{ led: NamesLed; planned: DnsPlan }> {
  const system = { name: 'shop', site: SITES.b, stores: [], failover: { dns: entries } };
  const made = createDnsActivities({ system: () => Promise.resolve(system as unknown as System) }, { pollMs: 20 });
  const planned: DnsPlan = await new MockActivityEnvironment().run(() =>
    made.planDns({ system: 'shop', toSite: SITES.b, fromSite: SITES.a }),
  );
  const tried = <O>(work: () => Promise<O>): Promise<O> => worker.attempts(2, work);
  const dns: DnsActivities = {
    planDns: (input) => tried(() => made.planDns(input)),
    swapDns: (input) => tried(() => made.swapDns(input)),
    awaitDns: (input) => tried(() => made.awaitDns(input)),
    revertDns: (input) => tried(() => made.revertDns(input)),
    checkAnswers: (input) => tried(() => made.checkAnswers(input)),
    standDns: (input) => tried(() => made.standDns(input)),
  };
  const leading = { change: dns, wait: dns, look: dns, uncancelled: <T>(work: () => Promise<T>) => work() };
  return { led: await leadForward(leading, 'shop', planned), planned };
}

/** Once nothing is struck any more, by whoever is slow. */
const patient = (one: Scene): Scene => ({
  ...one,
  entries: one.entries.map((entry) => ({ ...entry, answeredWithinSeconds: 60, inSyncWithinSeconds: 60 })),
});

const holds = (fake: FakeRoute53, name: string): string => fake.held(name)[0]?.values?.[0] ?? 'nothing';

/** What has to be true whatever was struck. Where the struck zone leads is what is said of it, or nobody claims to know. */
async function hold(one: Scene, led: NamesLed): Promise<string> {
  const [struck, other, provider] = led.entries?.map(({ standing }) => standing) ?? [];
  const words = led.lines.join('\n');
  expect([other, provider], words).toEqual(['here', 'here']);
  expect(holds(one.other, one.names.other)).toBe(ADDRESS.b);
  expect(await readFile(one.record, 'utf8')).toBe(`${SITES.b}\n`);
  const held = holds(one.struck, one.names.struck);
  expect([ADDRESS.a, ADDRESS.b]).toContain(held);
  if (struck === 'here' || struck === 'on its way') expect(held, words).toBe(ADDRESS.b);
  if (struck === 'as before') expect(held, words).toBe(ADDRESS.a);
  expect(led.ok, words).toBe(struck === 'here');
  if (struck !== 'here') expect(words).toContain(`zone ${one.struck.zone}: `);
  return struck ?? 'nothing said';
}

const REQUESTS = [1, 2, 3];
const HOW = ['before', 'after'] as const;

test('[M7] the worker is killed at each request, before and after it is carried out: all names lead here in the end', async () => {
  const cases = REQUESTS.flatMap((at) => HOW.map((how) => ({ at, how })));
  const ends = await Promise.all(
    cases.map(async ({ at, how }) => {
      const one = await scene();
      const worker = new Worker();
      let seen = 0;
      one.struck.strike = (request) => {
        // The first one of all is the plan's.
        seen = request - 1;
        if (seen !== at) return undefined;
        setImmediate(() => worker.dies());
        return how;
      };
      const { led } = await lead(one, worker);
      expect(seen).toBeGreaterThanOrEqual(at);
      return hold(one, led);
    }),
  );
  expect(ends).toEqual(cases.map(() => 'here'));
});

test('[M7] the control plane is gone from one request on: the other names lead here, and of this one is said what is so', async () => {
  const cases = REQUESTS.flatMap((at) => HOW.map((how) => ({ at, how })));
  const ends = await Promise.all(
    cases.map(async ({ at, how }) => {
      const hasCome = at > 2 || (at === 2 && how === 'after');
      const one = await scene({ answeredWithin: hasCome ? '60s' : '0s' });
      one.struck.strike = (request) => (request - 1 < at ? undefined : request - 1 === at ? how : 'before');
      const { led } = await lead(one);
      const end = await hold(one, led);
      // Whatever was sent and not answered is known when it comes back.
      one.struck.strike = undefined;
      const { led: again } = await lead(patient(one));
      expect(await hold(one, again)).toBe('here');
      return `${at} ${how}: ${end}`;
    }),
  );
  // Nothing of the change had come: nobody knows. It had come, and only its answer had not: the name servers tell.
  expect(ends).toEqual([
    '1 before: unknown',
    '1 after: unknown',
    '2 before: unknown',
    '2 after: here',
    '3 before: here',
    '3 after: here',
  ]);
});

test('[M7] PENDING for long: it is on its way and nothing is taken back; when it arrives at last the name leads here', async () => {
  const one = await scene({ inSyncWithin: '0s' });
  one.struck.pendingMs = Number.POSITIVE_INFINITY;
  const { led } = await lead(one);
  expect(await hold(one, led)).toBe('on its way');
  expect(led.lines.join('\n')).toContain('is still PENDING');
  expect(one.struck.batches.flat().map(({ action }) => action)).toEqual(['DELETE', 'CREATE']);
  one.struck.arrive();
  const { led: again } = await lead(patient(one));
  expect(await hold(one, again)).toBe('here');
});

test('[M7] refused, changed by somebody, or lost again and again: the name stays where it was, and who has it is told', async () => {
  const [guarded, changed, stranded] = await Promise.all([scene(), scene(), scene()]);
  guarded.struck.protect(guarded.names.struck, 'A');
  changed.struck.beforeChange = () =>
    changed.struck.put({ name: changed.names.struck, type: 'A', ttl: 30, values: ['192.0.2.99'] });
  stranded.struck.stranding = 100;
  const ends = await Promise.all([guarded, changed, stranded].map(async (one) => (await lead(one)).led));
  expect(await hold(guarded, ends[0] ?? expect.fail('led'))).toBe('as before');
  expect(ends[1]?.entries?.map(({ standing }) => standing)).toEqual(['unknown', 'here', 'here']);
  expect(ends[1]?.lines.join('\n')).toContain('192.0.2.99');
  expect(holds(changed.struck, changed.names.struck)).toBe('192.0.2.99');
  expect(await hold(stranded, ends[2] ?? expect.fail('led'))).toBe('as before');
});

test('a zone that can not be read when it is planned keeps no other name from being led, and is told', async () => {
  const one = await scene();
  one.struck.down = true;
  const { led, planned } = await lead(one);
  expect(planned.unplanned?.[0]).toContain('DnsUnreachable');
  expect(led).toMatchObject({ ok: false, entries: [{ standing: 'here' }, { standing: 'here' }] });
  expect(led.lines).toEqual(expect.arrayContaining([expect.stringContaining('not planned, and left as it was: zone')]));
});
