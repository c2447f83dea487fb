import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DnsContext } from '../../src/dns/context.ts';
import { planNames } from '../../src/dns/plan.ts';
import { awaitEntry, checkEntry, revertEntry, swapEntry } from '../../src/dns/swap.ts';
import type { DnsPlan } from '../../src/policy/failover/dns-plan.ts';
import type { FakeRoute53 } from '../support/route53/fake.ts';
import { ADDRESS, contextOf, DnsStage, failureOf, nothingBegun, simple, SITES } from './stage.ts';

let stage: DnsStage;
beforeAll(async () => {
  stage = await DnsStage.open();
});
afterAll(() => stage.close());

interface Scene {
  readonly fake: FakeRoute53;
  readonly context: DnsContext;
  readonly name: string;
  readonly plan: DnsPlan;
}

async function scene(more: object = {}): Promise<Scene> {
  const { fake, domain } = await stage.route53();
  const name = `ledger.${domain}`;
  fake.put({ name, type: 'A', ttl: 30, values: [ADDRESS.a] });
  const context = contextOf(stage.entries(fake, [{ kind: 'route53', records: [simple(name)], ...more }]));
  return { fake, context, name, plan: await planNames(context, SITES.b, SITES.a) };
}

const first = (plan: DnsPlan) => plan.entries[0] ?? expect.fail('no entry');
const swap = ({ context, plan }: Scene) => swapEntry(context, plan, first(plan), nothingBegun());
const settle = async (one: Scene) => awaitEntry(one.context, first(one.plan), await swap(one));
const check = async ({ context, plan }: Scene) => checkEntry(context, plan, first(plan));
const values = ({ fake, name }: Scene) => fake.held(name).flatMap((record) => record.values ?? []);

describe('a name of one record set', () => {
  test('[M7] led to the other site: planned, replaced, in sync, answered by the name server, and led back', async () => {
    const one = await scene();
    expect(one.plan.lines).toEqual([
      `zone ${one.fake.zone}: ${one.name} A: ${ADDRESS.a} (TTL 30 s) → ${ADDRESS.b} (TTL 30 s)`,
    ]);
    expect(first(one.plan)).toMatchObject({ oldTtlSeconds: 30 });
    expect(one.fake.batches).toEqual([]);
    expect(await settle(one)).toMatchObject({ resubmitted: 0 });
    const answers = await check(one);
    expect(answers.map(({ role, verdict, values: seen, ttlSeconds }) => [role, verdict, seen, ttlSeconds])).toEqual([
      ['authoritative', 'as wanted', [ADDRESS.b], 30],
      ['resolver', 'as wanted', [ADDRESS.b], 30],
    ]);
    await revertEntry(one.context, one.plan, first(one.plan), nothingBegun());
    expect(values(one)).toEqual([ADDRESS.a]);
    await one.fake.fed();
    expect((await failureOf(checkEntry(contextOf(shortly(one)), one.plan, first(one.plan)))).message).toContain(
      `says of ${one.name} A: ${ADDRESS.a}`,
    );
  });

  test('changed by somebody after the plan: nothing is changed, and what was found is told', async () => {
    const one = await scene();
    one.fake.put({ name: one.name, type: 'A', ttl: 30, values: ['192.0.2.99'] });
    const failed = await failureOf(swap(one));
    expect(failed).toMatchObject({ code: 'DnsChanged', waitingHelps: false });
    expect(failed.message).toContain('holds 192.0.2.99 (TTL 30 s) and held 198.51.100.10 (TTL 30 s)');
    expect(values(one)).toEqual(['192.0.2.99']);
  });

  test('changed by somebody between the look and the change: Route 53 itself refuses the batch, which an upsert would have overwritten', async () => {
    const one = await scene();
    one.fake.beforeChange = () => one.fake.put({ name: one.name, type: 'A', ttl: 30, values: ['192.0.2.99'] });
    expect(await failureOf(swap(one))).toMatchObject({ code: 'DnsChanged' });
    expect(one.fake.batches).toHaveLength(1);
    expect(values(one)).toEqual(['192.0.2.99']);
  });

  test('a second run after the answer of the first was lost: it finds its own work and waits for it', async () => {
    const one = await scene();
    await swap(one);
    expect(await settle(one)).toMatchObject({ resubmitted: 0 });
    expect(one.fake.batches.at(-1)?.map(({ action }) => action)).toEqual(['UPSERT']);
    expect(values(one)).toEqual([ADDRESS.b]);
  });

  test('PENDING for too long: it is told with the id, waiting helps, and the next look finds it in sync', async () => {
    const one = await scene({ inSyncWithin: '0s' });
    one.fake.pendingMs = Number.POSITIVE_INFINITY;
    const id = await swap(one);
    const failed = await failureOf(awaitEntry(one.context, first(one.plan), id));
    expect(failed).toMatchObject({ code: 'DnsPending', waitingHelps: true });
    expect(failed.message).toContain(id ?? 'an id');
    one.fake.pendingMs = 0;
    expect(await settle(one)).toMatchObject({ resubmitted: 0 });
  });

  test('accepted and stranded in a control plane that is gone: compared again, sent again', async () => {
    const one = await scene();
    one.fake.stranding = 2;
    expect(await settle(one)).toMatchObject({ resubmitted: 2 });
    expect(values(one)).toEqual([ADDRESS.b]);
    await check(one);
  });

  test('stranded, and changed by somebody before it is sent again: refused', async () => {
    const one = await scene();
    one.fake.stranding = 1;
    const id = await swap(one);
    one.fake.put({ name: one.name, type: 'A', ttl: 30, values: ['192.0.2.99'] });
    expect(await failureOf(awaitEntry(one.context, first(one.plan), id))).toMatchObject({ code: 'DnsChanged' });
  });

  test('protected from changes: named, and what can be done; the way back has nothing to do', async () => {
    const one = await scene();
    one.fake.protect(one.name, 'A');
    const failed = await failureOf(swap(one));
    expect(failed).toMatchObject({ code: 'DnsProtected', waitingHelps: false });
    expect(failed.message).toContain(`${one.name} A`);
    await revertEntry(one.context, one.plan, first(one.plan), nothingBegun());
    expect(values(one)).toEqual([ADDRESS.a]);
  });

  test('throttled for a moment: asked again; for long: told, waiting helps', async () => {
    const one = await scene();
    one.fake.throttling = 1;
    await settle(one);
    one.fake.throttling = 100;
    expect(await failureOf(planNames(one.context, SITES.a, SITES.b))).toMatchObject({
      code: 'DnsThrottled',
      waitingHelps: true,
    });
  });

  test('no such zone, refused credentials and a control plane that is gone are told apart', async () => {
    const one = await scene();
    const [entry] = one.context.entries;
    const elsewhere = { ...entry, zone: 'Z0OTHER' } as DnsContext['entries'][number];
    expect(await failureOf(planNames(contextOf([elsewhere]), SITES.b, SITES.a))).toMatchObject({
      code: 'DnsRefused',
      message: expect.stringContaining('NoSuchHostedZone') as string,
    });
    one.fake.down = true;
    expect(await failureOf(planNames(one.context, SITES.b, SITES.a))).toMatchObject({
      code: 'DnsUnreachable',
      waitingHelps: true,
    });
  });
});

describe('several zones', () => {
  test('the second refuses half-way: the first is put back, the second was never changed', async () => {
    const [one, other] = [await scene(), await scene()];
    const context = contextOf([...one.context.entries, ...other.context.entries]);
    const plan = await planNames(context, SITES.b, SITES.a);
    const [here, there] = plan.entries;
    if (here === undefined || there === undefined) throw new Error('two entries were planned');
    await awaitEntry(context, here, await swapEntry(context, plan, here, nothingBegun()));
    other.fake.protect(other.name, 'A');
    expect(await failureOf(swapEntry(context, plan, there, nothingBegun()))).toMatchObject({ code: 'DnsProtected' });
    for (const entry of plan.entries.toReversed()) await revertEntry(context, plan, entry, nothingBegun());
    expect([values(one), values(other)]).toEqual([[ADDRESS.a], [ADDRESS.a]]);
    expect(other.fake.batches).toHaveLength(1);
  });
});

function shortly({ context }: Scene): DnsContext['entries'] {
  return context.entries.map((entry) => ({ ...entry, answeredWithinSeconds: 0 }));
}
