import { describe, expect, test } from 'vitest';
import { HoldfastError } from '../../src/failures.ts';
import type { System } from '../../src/system/types.ts';
import { systemFrom } from './small-system.ts';

function systemWith(...dns: string[]): System {
  return systemFrom('shop', [
    'site: us-east-1',
    'stores: { nas: { kind: directory, path: /mnt/nas } }',
    'components: { data: { kind: files, path: /srv } }',
    'plans: { daily: { components: [data], stores: [nas] } }',
    'failover:',
    '  sites: [us-east-1, eu-west-1]',
    '  authority: nas',
    '  assess: { from: { public: { http: { url: "https://shop.example.com/health" } } } }',
    '  dns:',
    ...dns.map((line) => `    ${line}`),
  ]);
}

function problemsOf(...dns: string[]): string {
  try {
    systemWith(...dns);
  } catch (error) {
    if (error instanceof HoldfastError) return error.message;
    throw error;
  }
  return '';
}

const sites = 'sites: { us-east-1: [198.51.100.10], eu-west-1: [203.0.113.20] }';
const sets = 'sites: { us-east-1: { set: use1 }, eu-west-1: { set: euw1 } }';
const health = (...more: string[]): string[] => [
  '- kind: route53-health',
  '  zone: Z1',
  '  primary: us-east-1',
  '  standby: eu-west-1',
  '  switch: { kind: file, path: /srv/switch/on }',
  '  check: { url: "https://switch.example.net/on" }',
  ...more,
];

test('[M7] names that follow the active site: defaults filled in, sets and aliases told apart', () => {
  const { failover } = systemWith(
    '- kind: route53',
    '  zone: Z0123456789',
    '  records:',
    `    - { name: ledger.example.net, type: A, ${sites} }`,
    `    - { name: api.example.net, type: A, routing: weighted, ${sets} }`,
    `    - { name: app.example.net, type: A, routing: failover, ${sets} }`,
    '    - name: www.example.net',
    '      type: A',
    '      sites:',
    '        us-east-1: { alias: { zone: Z35, name: lb-1.us-east-1.elb.amazonaws.com } }',
    '        eu-west-1: [203.0.113.20]',
    '- { kind: command, name: other provider, change: [/usr/local/bin/dns], secrets: { TOKEN: { env: DNS_TOKEN } } }',
    ...health(`  records: [{ name: pay.example.net, type: A, ttl: 30s, ${sites} }]`),
  );
  const [zone, command, prepared] = failover?.dns ?? [];
  expect(zone).toMatchObject({ kind: 'route53', region: 'us-east-1', resolvers: [], inSyncWithinSeconds: 300 });
  expect(zone?.kind === 'route53' && zone.records).toEqual([
    expect.objectContaining({
      routing: 'simple',
      ttlSeconds: 60,
      sites: expect.objectContaining({ 'eu-west-1': { values: ['203.0.113.20'] } }) as object,
    }),
    {
      routing: 'weighted',
      name: 'api.example.net',
      type: 'A',
      weight: 100,
      sites: { 'us-east-1': 'use1', 'eu-west-1': 'euw1' },
    },
    expect.objectContaining({ routing: 'failover' }),
    expect.objectContaining({
      sites: expect.objectContaining({
        'us-east-1': { alias: { zone: 'Z35', name: 'lb-1.us-east-1.elb.amazonaws.com', evaluateTargetHealth: false } },
      }) as object,
    }),
  ]);
  expect(command).toMatchObject({ kind: 'command', timeoutSeconds: 60, ttlSeconds: 60 });
  expect(prepared).toMatchObject({
    check: { intervalSeconds: 10, failureThreshold: 3 },
    records: [{ ttlSeconds: 30 }],
  });
});

describe('mistakes', () => {
  const route53 = (...records: string[]): string =>
    problemsOf('- kind: route53', '  zone: Z1', '  records:', ...records.map((record) => `    - { ${record} }`));

  test('sites that are not there, one alone, a routing that does not fit what is written', () => {
    expect(route53('name: a.test, type: A, sites: { us-east-1: [1.2.3.4], eu-west-2: [1.2.3.4] }')).toContain(
      'did you mean `eu-west-1`',
    );
    expect(route53('name: a.test, type: A, sites: { us-east-1: [1.2.3.4] }')).toContain('at least two sites');
    expect(route53(`name: a.test, type: A, ${sets}`)).toContain('say which `routing`');
    expect(route53(`name: a.test, type: A, routing: weighted, ${sites}`)).toContain('write { set: <set identifier> }');
    expect(route53(`name: a.test, type: A, routing: failover, weight: 3, ${sets}`)).toContain(
      'only with `routing: weighted`',
    );
    expect(
      route53(`name: a.test, type: A, routing: failover, sites: { us-east-1: { set: x }, eu-west-1: { set: x } }`),
    ).toContain('a record set of its own');
  });

  test('values that the type can not hold, a name twice, half of a login', () => {
    expect(route53('name: a.test, type: A, sites: { us-east-1: [lb.test], eu-west-1: [1.2.3.4] }')).toContain('IPv4');
    expect(route53('name: a.test, type: CNAME, sites: { us-east-1: [x.test, y.test], eu-west-1: [z.test] }')).toContain(
      'one value',
    );
    expect(route53(`name: a.test, type: A, ${sites}`, `name: a.test, type: A, ${sites}`)).toContain('is there twice');
    const half = problemsOf(
      '- kind: route53',
      '  zone: Z1',
      '  accessKeyId: { env: X }',
      `  records: [{ name: a.test, type: A, ${sites} }]`,
    );
    expect(half).toContain('add the missing one');
  });

  test('a prepared switch: no such store, a standby that is the primary', () => {
    expect(
      problemsOf(
        ...health(`  records: [{ name: a.test, type: A, ${sites} }]`).map((line) =>
          line.replace('{ kind: file, path: /srv/switch/on }', '{ kind: store, store: nass, key: on }'),
        ),
      ),
    ).toContain('did you mean `nas`');
    expect(
      problemsOf(
        ...health(`  records: [{ name: a.test, type: A, ${sites} }]`).map((line) =>
          line.replace('standby: eu-west-1', 'standby: us-east-1'),
        ),
      ),
    ).toContain('another site than the primary');
  });
});
