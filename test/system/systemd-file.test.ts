import { expect, test } from 'vitest';
import { HoldfastError } from '../../src/failures.ts';
import { systemFrom } from './small-system.ts';

const around = (...component: string[]): string[] => [
  'stores: { nas: { kind: directory, path: /mnt/nas } }',
  'components:',
  '  service:',
  '    kind: systemd',
  ...component.map((line) => `    ${line}`),
  'plans: { daily: { components: [service], stores: [nas] } }',
];

/** Empty for a file without a mistake. */
function problemsOf(lines: string[]): string {
  try {
    systemFrom('shop', lines);
  } catch (error) {
    if (error instanceof HoldfastError) return JSON.stringify(error.details);
    throw error;
  }
  return '';
}

test('[G3] a component of systemd units: what is left out has its default, health is asked by unit', () => {
  const health = 'health: { app.service: { http: { url: "http://localhost:8080/health" } } }';
  const { components } = systemFrom('shop', around('units: [app.service, app.service, tidy.timer]', health));
  expect(components[0]).toMatchObject({
    units: ['app.service', 'tidy.timer'],
    scope: 'system',
    keepUp: false,
    healthTimeoutSeconds: 120,
    health: { 'app.service': { kind: 'http', url: 'http://localhost:8080/health' } },
  });
  expect(components[0]).not.toHaveProperty('user');
});

test('mistakes: no unit’s name, an account without its scope, health of another unit or of nothing', () => {
  const problems = (...lines: string[]): string => problemsOf(around(...lines));
  expect(problems('units: [app]')).toContain('write the whole name of a unit');
  expect(problems('units: [../../etc/passwd.service]')).toContain('write the whole name of a unit');
  expect(problems('units: [app.service]', 'user: ann')).toContain('belongs to `scope: user`');
  expect(problems('units: [app.service]', 'health: { db.service: { command: ["true"] } }')).toContain(
    'none of the units',
  );
  expect(problems('units: [app.service]', 'health: { app.service: {} }')).toContain('write one of `http`, `command`');
  expect(problems('units: [app.service]', 'health: { app.service: { htpp: 1 } }')).toContain('did you mean `http`?');
});

test('a plan that wants to be quiet: refused where it holds nothing but units, taken where a container uses something', () => {
  const file = (plan: string, ...more: string[]): string[] => [
    'stores: { nas: { kind: directory, path: /mnt/nas } }',
    'components:',
    '  service: { kind: systemd, units: [app.service] }',
    '  tree: { kind: files, path: /srv/app }',
    ...more,
    `plans: { daily: { components: [service, ${more.length === 0 ? 'tree' : 'tree, more'}], stores: [nas], ${plan} } }`,
  ];
  const stop = 'quiesce: { mode: stop, budget: 1m }';
  expect(problemsOf(file(stop))).toContain('units (app.service) are never stopped for a backup');
  expect(problemsOf(file('quiesce: none'))).toBe('');
  expect(problemsOf(file(stop, '  more: { kind: volume, volume: data }'))).toBe('');
  expect(problemsOf(file(stop, '  more: { kind: sqlite, path: /srv/app/a.db, usedBy: [web] }'))).toBe('');
});
