/** The way without a control plane: prepared, audited, and taken while nothing of Route 53 answers but its name servers. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { setSwitch, switchState } from '../../src/dns/health-switch.ts';
import { openStore } from '../../src/stores/index.ts';
import { planNames } from '../../src/dns/plan.ts';
import { auditNames, planPreparation, prepareEntry } from '../../src/dns/prepare.ts';
import { awaitEntry, checkEntry, revertEntry, swapEntry } from '../../src/dns/swap.ts';
import type { DnsContext } from '../../src/dns/context.ts';
import type { Route53HealthEntry } from '../../src/system/dns-types.ts';
import { holdfast, holdfastJson } from '../cli/holdfast.ts';
import { keySection } from '../system/keys.ts';
import type { FakeRoute53 } from '../support/route53/fake.ts';
import { ADDRESS, contextOf, DnsStage, failureOf, nothingBegun, simple, SITES } from './stage.ts';

let stage: DnsStage;
let directory: string;
let standby: Server;
let served: string;

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'holdfast-switch-'));
  served = path.join(directory, 'on');
  // The standby's web server, which serves the file of the switch.
  standby = createServer((_request, response) => {
    readFile(served).then(
      (bytes) => response.end(bytes),
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((resolve) => standby.listen(0, '127.0.0.1', resolve));
  stage = await DnsStage.open();
});
afterAll(async () => {
  await stage.close();
  standby.closeAllConnections();
  await new Promise((resolve) => standby.close(resolve));
  await rm(directory, { recursive: true, force: true });
});

interface Scene {
  readonly fake: FakeRoute53;
  readonly entry: Route53HealthEntry;
  readonly context: DnsContext;
  readonly name: string;
}

const written = (name: string, more: object = {}): object => ({
  kind: 'route53-health',
  primary: SITES.a,
  standby: SITES.b,
  switch: { kind: 'file', path: served },
  check: { url: `http://127.0.0.1:${(standby.address() as AddressInfo).port}/on`, failureThreshold: 2 },
  records: [simple(name)],
  ...more,
});

async function scene(): Promise<Scene> {
  await rm(served, { force: true });
  const { fake, domain } = await stage.route53({ checkIntervalMs: 50 });
  const name = `pay.${domain}`;
  fake.put({ name, type: 'A', ttl: 300, values: [ADDRESS.a] });
  const [entry] = stage.entries(fake, [written(name)]);
  if (entry?.kind !== 'route53-health') throw new Error('one entry was written');
  return { fake, entry, context: contextOf([entry]), name };
}

async function prepared(): Promise<Scene> {
  const one = await scene();
  await prepareEntry(one.context, 'shop', await planPreparation(one.context, one.entry));
  await one.fake.fed();
  return one;
}

const differencesOf = async ({ context }: Scene): Promise<readonly string[]> =>
  (await auditNames(context)).flatMap(({ differences }) => differences);

describe('a switch that the standby has', () => {
  test('prepared in one batch in the place of the plain record, audited as declared; a second run has nothing to do', async () => {
    const one = await scene();
    expect((await differencesOf(one)).length).toBeGreaterThan(0);
    const plan = await planPreparation(one.context, one.entry);
    expect(plan.lines[0]).toContain('health check: new, inverted, asks http://127.0.0.1');
    await prepareEntry(one.context, 'shop', plan);
    expect(one.fake.batches).toHaveLength(1);
    expect(one.fake.held(one.name).map(({ setIdentifier, failover }) => [setIdentifier, failover])).toEqual([
      [SITES.b, 'SECONDARY'],
      [SITES.a, 'PRIMARY'],
    ]);
    expect(await differencesOf(one)).toEqual([]);
    expect((await planPreparation(one.context, one.entry)).lines).toEqual([]);
    expect(one.fake.checkers.checks.size).toBe(1);
  });

  test('[M7] the control plane is down: the file is written, the name servers lead over, and back when it is removed', async () => {
    const one = await prepared();
    one.fake.down = true;
    const plan = await planNames(one.context, SITES.b, SITES.a);
    const [entry] = plan.entries;
    if (entry === undefined) throw new Error('one entry was planned');
    expect(plan.lines).toEqual([
      `zone ${one.fake.zone} by its switch: the switch goes on, so that its health check lets ${one.name} lead to ${SITES.b}`,
    ]);
    await swapEntry(one.context, plan, entry, nothingBegun());
    await awaitEntry(one.context, entry, undefined);
    const answers = await checkEntry(one.context, plan, entry);
    expect(answers.map(({ values }) => values)).toEqual([[ADDRESS.b], [ADDRESS.b]]);
    expect((await readFile(served, 'utf8')).trim()).toBe(`${SITES.b} has taken over`);
    await revertEntry(one.context, plan, entry, nothingBegun());
    expect((await failureOf(checkEntry(shortly(one), plan, entry))).code).toBe('DnsNotAnswered');
    await expect(readFile(served)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('whatever differs from what is declared is told', async () => {
    const one = await prepared();
    const changed = { ...one.entry, check: { ...one.entry.check, failureThreshold: 5, search: 'taken' } };
    const told = (await differencesOf({ ...one, context: contextOf([changed]) })).map((text) => text.split(': ')[1]);
    expect(told.toSorted()).toEqual([
      'failure threshold is 2, and has to be 5',
      'text to find is none, and has to be taken',
      'type is HTTP, and has to be HTTP_STR_MATCH',
    ]);
    const [primary] = one.fake.held(one.name).filter(({ failover }) => failover === 'PRIMARY');
    if (primary === undefined) throw new Error('a PRIMARY was prepared');
    one.fake.put({ ...primary, ttl: 900 });
    expect((await differencesOf(one))[0]).toContain('(TTL 900 s, PRIMARY');
    one.fake.down = true;
    const [audit] = await auditNames(one.context);
    expect(audit).toMatchObject({
      differences: [],
      unknown: [expect.stringContaining('could not be asked') as string],
    });
  });

  test('the switch is on while it is prepared: refused, since the names would go over at once', async () => {
    const one = await scene();
    const plan = await planPreparation(one.context, one.entry);
    await writeFile(served, 'on');
    expect(await failureOf(prepareEntry(one.context, 'shop', plan))).toMatchObject({ code: 'DnsUnfit' });
    expect(one.fake.batches).toEqual([]);
    await rm(served);
  });

  test('a file at the standby, asked for at the other site: told where it has to be done', async () => {
    const one = await scene();
    const elsewhere = contextOf([one.entry], { site: SITES.a });
    expect(await failureOf(planNames(elsewhere, SITES.b, SITES.a))).toMatchObject({ code: 'DnsElsewhere' });
  });
});

describe('a switch that is no file of this host', () => {
  test('an object in a store, from either site: written, read and removed; a repeat changes nothing', async () => {
    const vault = path.join(directory, 'store');
    const store = { name: 'switches', kind: 'directory', path: vault, mustBeMounted: false } as const;
    const one = await scene();
    const entry: Route53HealthEntry = { ...one.entry, switch: { kind: 'store', store: 'switches', key: 'on' } };
    const call = contextOf([entry], { site: SITES.a, openStore: () => openStore(store, () => Promise.resolve('')) });
    expect(await switchState(entry, call)).toBe('off');
    await setSwitch(entry, 'on', call);
    await setSwitch(entry, 'on', call);
    expect(await switchState(entry, call)).toBe('on');
    await setSwitch(entry, 'off', call);
    await setSwitch(entry, 'off', call);
    expect(await switchState(entry, call)).toBe('off');
  });

  test('commands: what the checkers would be answered is how it stands; one that fails is told', async () => {
    const one = await scene();
    const how = { kind: 'command', on: ['touch', served], off: ['rm', served], timeoutSeconds: 20 } as const;
    const entry: Route53HealthEntry = { ...one.entry, switch: how };
    const call = contextOf([entry]);
    expect(await switchState(entry, call)).toBe('off');
    await setSwitch(entry, 'on', call);
    expect(await switchState(entry, call)).toBe('on');
    await setSwitch(entry, 'off', call);
    const failed = await failureOf(setSwitch(entry, 'off', call));
    expect(failed).toMatchObject({
      code: 'DnsCommandFailed',
      message: expect.stringContaining('rm ended with exit code 1') as string,
    });
  });
});

test('[M7] holdfast dns: shown, audited with exit code 1, prepared after a look at the plan, audited with 0, led by hand after another look', async () => {
  const one = await scene();
  const { endpoint = '', nameservers } = one.entry;
  const [server = ''] = nameservers;
  const file = path.join(directory, 'shop.yaml');
  const entry = { ...written(one.name), zone: one.fake.zone, endpoint, nameservers: [server], resolvers: [server] };
  const login = { accessKeyId: { env: 'DNS_TEST_ID' }, secretAccessKey: { env: 'DNS_TEST_SECRET' } };
  const section = {
    sites: [SITES.a, SITES.b],
    authority: 'nas',
    assess: { from: { public: { http: { url: 'https://shop.example.com/health' } } } },
    dns: [{ ...entry, ...login }],
  };
  await writeFile(
    file,
    [
      'system: shop',
      `site: ${SITES.b}`,
      `stores: { nas: { kind: directory, path: ${path.join(directory, 'nas')} } }`,
      'components: { data: { kind: files, path: /srv } }',
      'plans: { daily: { components: [data], stores: [nas] } }',
      `failover: ${JSON.stringify(section)}`,
      keySection({ identity: true }),
    ].join('\n'),
  );
  const shown = await holdfastJson<{ names: { state: string; names: object[] }[] }>(directory, ['dns', file]);
  expect(shown.names[0]).toMatchObject({
    state: 'off',
    names: [
      {
        name: one.name,
        holds: [`${ADDRESS.a} (TTL 300 s)`],
        answers: { [`authoritative ${server}`]: `${ADDRESS.a} (TTL 300 s)` },
      },
    ],
  });
  const audited = await holdfast(directory, ['dns', file, '--audit']);
  expect([audited.code, audited.stdout]).toEqual([1, expect.stringContaining('its PRIMARY has no health check')]);
  const looked = await holdfast(directory, ['dns', file, '--prepare']);
  expect([looked.code, looked.stdout]).toEqual([1, expect.stringContaining('Nothing was changed')]);
  expect(one.fake.batches).toEqual([]);
  const made = await holdfast(directory, ['dns', file, '--prepare', '--yes']);
  expect([made.code, made.stderr]).toEqual([0, expect.stringContaining('health check: new')]);
  expect(await holdfastJson(directory, ['dns', file, '--audit'])).toMatchObject({ ok: true });

  const seen = await holdfast(directory, ['dns', file, '--lead']);
  expect([seen.code, seen.stdout]).toEqual([1, expect.stringContaining('Nothing was changed')]);
  await expect(readFile(served)).rejects.toMatchObject({ code: 'ENOENT' });
  const led = await holdfast(directory, ['dns', file, '--lead', '--yes']);
  expect([led.code, led.stdout]).toEqual([0, expect.stringContaining(`leads to ${SITES.b}`)]);
  expect(led.stderr).toContain('take care: nobody knows which site is active');
  expect((await readFile(served, 'utf8')).trim()).toBe(`${SITES.b} has taken over`);
  await rm(served);
});

function shortly({ entry }: Scene): DnsContext {
  return contextOf([{ ...entry, answeredWithinSeconds: 0 }]);
}
