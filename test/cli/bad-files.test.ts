/** System files and entries of the register that are bad: told, and hiding none of the others. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { hostsOfThisMachine } from '../../src/cli/hosts.ts';
import { findingId, type Finding } from '../../src/policy/findings.ts';
import { holdfast, holdfastJson } from './holdfast.ts';

let directory: string;
let home: string;
const at = (...names: string[]): string => path.join(directory, ...names);

async function register(name: string): Promise<string> {
  const file = at(`${name}.yaml`);
  const text = [
    `system: ${name}`,
    `hosts: [${name}-host]`,
    `stores: { vault: { kind: directory, path: ${at(`vault-${name}`)} } }`,
    `components: { data: { kind: files, path: ${at('data')} } }`,
    `plans: { daily: { components: [data], stores: [vault], schedule: '0 2 * * *', rpo: 1d } }`,
    `monitor: { disks: [{ path: ${at('data')}, used: 100% }, { path: ${home}, used: 100% }] }`,
  ];
  await writeFile(file, text.join('\n'), { mode: 0o640 });
  const { code, stderr } = await holdfast(home, ['init', file, '--kit', at(`kit-${name}`)]);
  if (code !== 0) throw new Error(stderr);
  return file;
}

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'holdfast-bad-files-'));
  home = at('home');
  await mkdir(at('data'));
  await writeFile(at('data', 'a'), 'a');
});
afterAll(() => rm(directory, { recursive: true, force: true }));

interface Looked {
  readonly systems: readonly {
    readonly system: string;
    readonly facts: { readonly plans: readonly { readonly firstDue?: object }[] };
    readonly findings: readonly Finding[];
  }[];
}

it('nothing is registered: nothing is known to be well', async () => {
  expect((await holdfast(home, ['monitor'])).code).toBe(2);
  const nagios = await holdfast(home, ['monitor', '--nagios']);
  expect(nagios.code).toBe(3);
  expect(nagios.stdout).toContain('HOLDFAST UNKNOWN - no system is registered here');
});

it('one bad file, one damaged entry: told with what is wrong, and the other system as ever', async () => {
  await register('first');
  const file = await register('typo');
  const looked = async (code: number) => (await holdfastJson<Looked>(home, ['monitor'], code)).systems;
  const before = await looked(1);
  // Nothing was due yet.
  expect(before.map(({ system, findings }) => [system, ...findings.map(findingId)])).toEqual([
    ['first', 'engine/engine'],
    ['typo', 'engine/engine'],
  ]);
  expect(before[0]?.facts.plans).toMatchObject([{ firstDue: {} }]);
  const status = await holdfast(home, ['status', 'first']);
  expect(status.code).toBe(0);
  expect(status.stdout).toContain('the first is due in');

  const text = await readFile(file, 'utf8');
  await writeFile(file, text.replace('plans:', 'planz:'));
  await writeFile(path.join(home, 'systems', 'torn.json'), '{');
  const [first, torn, typo] = await looked(1);
  expect(first?.findings).toEqual(before[0]?.findings);
  expect(torn?.findings.map(findingId)).toEqual(['system-file/file']);
  expect(torn?.findings[0]?.hint).toContain('holdfast init');
  // Judged as it was written before.
  expect(typo?.findings.map(findingId)).toEqual(['engine/engine', 'system-file/file']);
  expect(typo?.findings[1]?.what).toMatch(/`plans` is missing.* everything else is judged as it was written/s);
  expect(typo?.facts.plans).toMatchObject([{ firstDue: {} }]);

  const all = await holdfast(home, ['status']);
  expect(all.code).toBe(1);
  for (const words of [/^first$/m, /^torn$/m, /`plans` is missing/]) expect(all.stdout).toMatch(words);
  const nagios = await holdfast(home, ['monitor', '--nagios']);
  expect(nagios.code).toBe(2);
  expect(nagios.stdout).toContain('CRITICAL torn system-file/file');

  // What `up` starts with: hosts of files that are right, and of those that were.
  process.env['HOLDFAST_HOME'] = home;
  const said: string[] = [];
  expect(await hostsOfThisMachine((one) => said.push(one))).toEqual(['first-host', 'typo-host']);
  expect(said.join('\n')).toMatch(/torn.* is damaged[^]*`plans` is missing/);

  await writeFile(file, text);
  await rm(path.join(home, 'systems', 'torn.json'));
  expect(await looked(1)).toMatchObject(before.map(({ system, findings }) => ({ system, findings })));
});
