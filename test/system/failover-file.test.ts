import { expect, test } from 'vitest';
import { HoldfastError } from '../../src/failures.ts';
import { declaredSchedules } from '../../src/policy/schedules.ts';
import { workflowIds } from '../../src/workflows/contract.ts';
import { systemFrom } from './small-system.ts';

const around = (...failover: string[]): string[] => [
  'site: frankfurt',
  'stores: { nas: { kind: directory, path: /mnt/nas }, witness: { kind: directory, path: /mnt/witness } }',
  'components: { data: { kind: files, path: /srv } }',
  'plans: { daily: { components: [data], stores: [nas], rpo: 24h }, hourly: { components: [data], stores: [nas], rpo: 1h } }',
  'failover:',
  ...failover.map((line) => `  ${line}`),
];
const looks = 'assess: { from: { public: { place: dublin, http: { url: "https://shop.example.com/health" } } } }';

test('[M7] sites of a system: what is left out has its default, a lease fences, a person approves', () => {
  const { failover } = systemFrom('shop', around('sites: [frankfurt, dublin]', 'authority: witness', looks));
  expect(failover).toMatchObject({
    sites: ['frankfurt', 'dublin'],
    authority: 'witness',
    fencing: 'lease',
    leaseSeconds: 60,
    stopSeconds: 30,
    rpoSeconds: 3600,
    warm: false,
    handover: { lookSeconds: 15, answerSeconds: 3600, raiseSeconds: 300 },
    assess: { quorum: 1, looks: 3, overSeconds: 30, from: [{ name: 'public', place: 'dublin' }] },
  });
  expect(failover).not.toHaveProperty('automatic');
  expect(failover).not.toHaveProperty('confirm');
});

test('mistakes: the own site not among them, no such store, nobody who looks, a quorum of more than all, fencing that does not go together', () => {
  const problems = (...lines: string[]): string => {
    try {
      systemFrom('shop', around(...lines));
    } catch (error) {
      if (error instanceof HoldfastError) return JSON.stringify(error.details);
      throw error;
    }
    return '';
  };
  const sites = 'sites: [frankfurt, dublin]';
  expect(problems('sites: [paris, dublin]', 'authority: witness', looks)).toContain('is `frankfurt`: name it here');
  expect(problems(sites, 'authority: witnes', looks)).toContain('did you mean `witness`');
  expect(problems(sites, 'authority: witness', 'assess: { from: {} }')).toContain('at least one place that looks');
  expect(problems(sites, 'authority: witness', looks.replace(/ }$/, ', quorum: 2 }'))).toContain('no 2 can agree');
  expect(problems(sites, 'authority: witness', 'fencing: attested', 'lease: 20s', looks)).toContain(
    'belongs to `fencing: lease`',
  );
  expect(problems(sites, 'authority: witness', 'fencing: confirmed', 'automatic: { downFor: 5m }', looks)).toContain(
    'only `fencing: lease` fences without a person',
  );
  expect(problems(sites, 'authority: witness', 'fencing: confirmed', looks)).toContain('add `confirm` with a command');
  expect(problems('sites: [frankfurt]', 'authority: witness', looks)).toContain('at least two sites');
});

test('[B9] readiness and rehearsals by schedule: both are the workflow `readiness`, under the ids that a person uses', () => {
  const sites = ['sites: [frankfurt, dublin]', 'authority: witness', looks];
  const system = systemFrom('shop', around(...sites, 'readiness: 0 6 * * *', 'rehearsal: { every: 30d }'));
  const own = declaredSchedules(system).filter(({ start }) => start.operation === 'readiness');
  expect(own.map(({ start }) => [start.workflowId, start['rehearse']])).toEqual([
    [workflowIds.readiness('shop'), undefined],
    [workflowIds.rehearsal('shop'), true],
  ]);
  expect(() => systemFrom('shop', around(...sites, 'readiness: 61 6 * * *'))).toThrow();
});
