/** Names with several record sets, aliases, commands, and the activities of a failover over all of them. */
import { MockActivityEnvironment } from '@temporalio/testing';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createDnsActivities } from '../../src/activities/failover/dns.ts';
import type { DnsActivities, DnsPlan } from '../../src/activities/failover/dns-types.ts';
import type { DnsEntry } from '../../src/system/dns-types.ts';
import type { System } from '../../src/system/types.ts';
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

/** The activities at the standby, of a system with these names only. */
function activitiesOf(entries: readonly DnsEntry[]): DnsActivities {
  const system = { name: 'shop', site: SITES.b, stores: [], failover: { dns: entries } };
  const made = createDnsActivities({ system: () => Promise.resolve(system as unknown as System) }, { pollMs: 20 });
  const inside = <O>(work: () => Promise<O>): Promise<O> => new MockActivityEnvironment().run(work);
  return {
    planDns: (input) => inside(() => made.planDns(input)),
    swapDns: (input) => inside(() => made.swapDns(input)),
    awaitDns: (input) => inside(() => made.awaitDns(input)),
    revertDns: (input) => inside(() => made.revertDns(input)),
    checkAnswers: (input) => inside(() => made.checkAnswers(input)),
    standDns: (input) => inside(() => made.standDns(input)),
  };
}

async function swapped(dns: DnsActivities): Promise<DnsPlan> {
  const planned = await dns.planDns({ system: 'shop', toSite: SITES.b, fromSite: SITES.a });
  const done = await dns.swapDns({ system: 'shop', toSite: SITES.b, planned });
  await dns.awaitDns({ system: 'shop', planned, swapped: done });
  return planned;
}

const sets = { [SITES.a]: { set: 'use1' }, [SITES.b]: { set: 'euw1' } };

describe('record sets of several kinds in one zone', () => {
  test('[M7] plain, weighted, failover and alias: led over in one batch, answered, and led back to exactly what was there', async () => {
    const { fake, domain } = await stage.route53();
    fake.pageSize = 2;
    fake.outside.set('lb-a.elb.test.', ['198.51.100.77']);
    fake.outside.set('lb-b.elb.test.', ['203.0.113.77']);
    const names = {
      plain: `plain.${domain}`,
      weighted: `api.${domain}`,
      roles: `app.${domain}`,
      alias: `www.${domain}`,
    };
    const before = [
      { name: names.plain, type: 'A', ttl: 30, values: [ADDRESS.a] },
      { name: names.weighted, type: 'A', ttl: 30, values: [ADDRESS.a], setIdentifier: 'use1', weight: 100 },
      { name: names.weighted, type: 'A', ttl: 30, values: [ADDRESS.b], setIdentifier: 'euw1', weight: 0 },
      {
        name: names.roles,
        type: 'A',
        ttl: 30,
        values: [ADDRESS.a],
        setIdentifier: 'use1',
        failover: 'PRIMARY' as const,
      },
      {
        name: names.roles,
        type: 'A',
        ttl: 30,
        values: [ADDRESS.b],
        setIdentifier: 'euw1',
        failover: 'SECONDARY' as const,
      },
      { name: names.alias, type: 'A', alias: { zone: 'Z35', name: 'lb-a.elb.test.', evaluate: false } },
    ];
    fake.put(...before);
    const held = () => Object.values(names).flatMap((name) => fake.held(name));
    const there = held();
    const dns = activitiesOf(
      stage.entries(fake, [
        {
          kind: 'route53',
          records: [
            simple(names.plain),
            { name: names.weighted, type: 'A', routing: 'weighted', sites: sets },
            { name: names.roles, type: 'A', routing: 'failover', sites: sets },
            {
              name: names.alias,
              type: 'A',
              sites: {
                [SITES.a]: { alias: { zone: 'Z35', name: 'lb-a.elb.test' } },
                [SITES.b]: { alias: { zone: 'Z36', name: 'lb-b.elb.test' } },
              },
            },
          ],
        },
      ]),
    );
    const planned = await swapped(dns);
    expect(fake.batches).toHaveLength(1);
    await fake.fed();
    // The name of the load balancer is in another zone, of which this server knows nothing.
    const [zone] = planned.entries;
    if (zone?.kind !== 'route53') throw new Error('planned as a zone');
    const known = {
      ...planned,
      entries: [{ ...zone, checks: zone.checks.filter(({ wanted }) => 'values' in wanted) }],
    };
    const { answers } = await dns.checkAnswers({ system: 'shop', planned: known });
    expect(answers.map(({ values }) => values)).toEqual(Array.from({ length: 6 }, () => [ADDRESS.b]));
    expect(fake.held(names.alias)).toMatchObject([{ alias: { name: 'lb-b.elb.test.' } }]);
    const settled = await dns.revertDns({ system: 'shop', previous: planned });
    expect(Date.parse(settled.oldAnswerUntil) - Date.parse(settled.inSyncAt)).toBe(60_000);
    expect(held()).toEqual(there);
  });

  test('swapped twice, as an activity may be: the second finds its own work', async () => {
    const { fake, domain } = await stage.route53();
    const name = `ledger.${domain}`;
    fake.put({ name, type: 'A', ttl: 30, values: [ADDRESS.a] });
    const dns = activitiesOf(stage.entries(fake, [{ kind: 'route53', records: [simple(name)] }]));
    const planned = await swapped(dns);
    await dns.swapDns({ system: 'shop', toSite: SITES.b, planned });
    expect(fake.held(name)).toMatchObject([{ values: [ADDRESS.b] }]);
  });
});

describe('commands for another provider', () => {
  const script = async (text: string): Promise<string> => {
    const file = path.join(directory, `dns-${crypto.randomUUID()}.sh`);
    await writeFile(file, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    return file;
  };

  test('[M7] read, changed, verified and led back; the token is a variable, and in no plan', async () => {
    process.env['DNS_TEST_TOKEN'] = 'hunter2';
    const record = path.join(directory, 'record');
    await writeFile(record, 'leads to us-east-1\n');
    const change = await script(`test "$TOKEN" = hunter2 || exit 3\necho "leads to $HOLDFAST_SITE" > ${record}`);
    const dns = activitiesOf(
      stage.entries((await stage.route53()).fake, [
        {
          kind: 'command',
          name: 'other provider',
          read: ['cat', record],
          change: [change],
          verify: [await script(`grep -qx "leads to $HOLDFAST_SITE" ${record}`)],
          ttl: '5m',
          secrets: { TOKEN: { env: 'DNS_TEST_TOKEN' } },
        },
      ]),
    );
    const planned = await swapped(dns);
    expect(JSON.stringify(planned)).not.toContain('hunter2');
    expect(planned.lines).toEqual([`other provider: leads to us-east-1 → ${change} for ${SITES.b}`]);
    expect(await readFile(record, 'utf8')).toBe(`leads to ${SITES.b}\n`);
    await dns.checkAnswers({ system: 'shop', planned });
    // A repeat verifies that it is done, and asks nobody to do it again.
    await dns.swapDns({ system: 'shop', toSite: SITES.b, planned });
    await dns.revertDns({ system: 'shop', previous: planned });
    expect(await readFile(record, 'utf8')).toBe(`leads to ${SITES.a}\n`);
  });

  test('led by hand to a third place after the failover led it: a revert leaves it there, and says so', async () => {
    for (const verify of [undefined, 'leads to eu-west-1']) {
      const record = path.join(directory, crypto.randomUUID());
      await writeFile(record, 'leads to us-east-1\n');
      const change = await script(`echo "leads to $HOLDFAST_SITE" > ${record}`);
      const verifies = verify === undefined ? {} : { verify: ['grep', '-qx', verify, record] };
      const entry = { kind: 'command', name: 'other provider', read: ['cat', record], change: [change], ...verifies };
      const dns = activitiesOf(stage.entries((await stage.route53()).fake, [entry]));
      const previous = await swapped(dns);
      await writeFile(record, 'leads to ap-south-1\n');
      await expect(dns.revertDns({ system: 'shop', previous })).rejects.toMatchObject({ type: 'DnsChanged' });
      expect(await readFile(record, 'utf8')).toBe('leads to ap-south-1\n');
      const { entries } = await dns.standDns({ system: 'shop', planned: previous });
      expect(entries).toMatchObject([{ standing: 'unknown' }]);
    }
  });

  test('it reads something else than when the plan was made: not called', async () => {
    const record = path.join(directory, 'other');
    await writeFile(record, 'one\n');
    const called = path.join(directory, 'called');
    const dns = activitiesOf(
      stage.entries((await stage.route53()).fake, [
        { kind: 'command', name: 'other provider', read: ['cat', record], change: ['touch', called] },
      ]),
    );
    const planned = await dns.planDns({ system: 'shop', toSite: SITES.b, fromSite: SITES.a });
    await writeFile(record, 'two\n');
    await expect(dns.swapDns({ system: 'shop', toSite: SITES.b, planned })).rejects.toMatchObject({
      type: 'DnsChanged',
    });
    await expect(readFile(called)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
