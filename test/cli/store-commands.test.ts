/** `policy` and `store setup` as a person runs them, against an emulator of AWS. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { recoveredText } from '../../src/cli/break-glass.ts';
import { startMoto, type Moto } from '../support/moto.ts';
import { holdfast, holdfastJson } from './holdfast.ts';

const SECRETS = { SHOP_ID: 'AKIAEXAMPLE', SHOP_KEY: 'hunter2-very-secret' };

let directory: string;
let moto: Moto;
let file: string;

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'holdfast-store-commands-'));
  moto = await startMoto();
  file = path.join(directory, 'shop.yaml');
  const secretOf = (name: string): string => `{ env: ${name} }`;
  await writeFile(
    file,
    [
      'system: shop',
      'stores:',
      `  nas: { kind: directory, path: ${path.join(directory, 'nas')} }`,
      `  s3: { kind: s3, bucket: vaults, endpoint: '${moto.url}', immutable: { mode: governance, for: 14d },`,
      `      accessKeyId: ${secretOf('SHOP_ID')}, secretAccessKey: ${secretOf('SHOP_KEY')},`,
      `      maintainer: { accessKeyId: ${secretOf('SHOP_ID')}, secretAccessKey: ${secretOf('SHOP_KEEPER_KEY')} } }`,
      '  google: { kind: gcs, bucket: vaults }',
      `components: { data: { kind: files, path: ${directory} } }`,
      'plans: { daily: { components: [data], stores: [nas, s3, google], rpo: 1d } }',
      'keys:',
      `  recipients: [age1${'q'.repeat(58)}, age1${'p'.repeat(58)}]`,
      '  chunkIdKey: { env: SHOP_CHUNKS }',
      '  signer: { env: SHOP_SIGNER }',
      '  keeper: { env: SHOP_KEEPER }',
      `  rootFingerprint: SHA256:${'A'.repeat(43)}`,
      '',
    ].join('\n'),
  );
});

afterAll(async () => {
  await moto.stop();
  await rm(directory, { recursive: true, force: true });
});

const home = (): string => path.join(directory, 'home');
const run = (args: readonly string[]) => holdfast(home(), args, { ...SECRETS, SHOP_KEEPER_KEY: 'k' });

describe('the command policy [M4]', () => {
  it('as text: the policy alone on stdout, ready for a file; what to know of it on stderr', async () => {
    const ended = await run(['policy', file, 's3', '--role', 'capture']);
    expect(ended.code).toBe(0);
    const { Statement } = JSON.parse(ended.stdout) as { Statement: { Sid: string }[] };
    expect(Statement.map(({ Sid }) => Sid)).toEqual(['List', 'Read', 'Create', 'LockNew']);
    expect(ended.stderr).toContain('neither replaces nor deletes');
    const google = await run(['policy', file, 'google', '--role', 'prune', '--json']);
    expect(JSON.parse(google.stdout)).toMatchObject({ store: 'google', role: 'prune', policy: { bucket: 'vaults' } });
  });

  it.each([
    [['policy', 'FILE', '--role', 'capture'], 'several stores in buckets: s3, google; name one'],
    [['policy', 'FILE', 's3'], '--role'],
    [['store', 'setup', 'FILE', 'google'], 'of kind gcs'],
    [['store', 'setup', 'FILE', 's3', '--role', 'arn:x'], 'both --replicate-to and --role'],
  ])('%j: refused with exit 2 and what is asked for', async (args, words) => {
    const ended = await run(args.map((arg) => (arg === 'FILE' ? file : arg)));
    expect(ended).toMatchObject({ code: 2, stdout: '' });
    expect(ended.stderr).toContain(words);
  });
});

describe('the command store setup [M4]', () => {
  it('a difference: shown with exit 1 and nothing made; applied; then none, with exit 0; no secret is said', async () => {
    const shown = await run(['store', 'setup', file, 's3']);
    expect(shown.code).toBe(1);
    expect(shown.stdout).toContain('there is no such bucket → a bucket with Object Lock');
    expect(shown.stdout).toContain('--apply makes it so');
    const still = await run(['store', 'setup', file, 's3', '--json']);
    const { applied, changed, left } = JSON.parse(still.stdout) as Record<'applied' | 'changed' | 'left', unknown>;
    expect({ applied, changed }).toEqual({ applied: false, changed: [] });
    expect(left).toHaveLength(6);
    const made = await run(['store', 'setup', file, 's3', '--apply']);
    expect(made.code).toBe(0);
    expect(made.stdout).toMatch(/\d changed, as it should be/);
    const again = await run(['store', 'setup', file, 's3']);
    expect(again).toMatchObject({ code: 0, stdout: expect.stringContaining('as it should be') as string });
    for (const { stdout, stderr } of [shown, still, made, again]) expect(stdout + stderr).not.toContain('hunter2');
  });
});

describe('the command doctor', () => {
  it('on the host that maintains a store: secrets of the maintainer and the keeper that are missing are told', async () => {
    const { findings } = await holdfastJson<{ findings: { state: string; what: string }[] }>(
      home(),
      ['doctor', file],
      1,
      SECRETS,
    );
    const failed = findings.filter(({ state }) => state === 'fail').map(({ what }) => what);
    expect(failed).toContain('secret stores.s3.maintainer.secretAccessKey');
    expect(failed).toContain('secret keys.keeper');
    expect(failed).not.toContain('secret stores.s3.maintainer.accessKeyId');
  });
});

describe('the system file on a bare machine', () => {
  it('out of a store with an archive class, which no kit names: the class of that store and of no other stays', () => {
    const classed = (bucket: string, name: string): string =>
      `${name}: { kind: s3, bucket: ${bucket}, prefix: shop/, storageClass: ${name.toUpperCase()} }`;
    const text = `system: shop\nstores: { ${classed('a', 'glacier')}, ${classed('b', 'deep_archive')} }\n`;
    const base = { name: 'recovery', kind: 's3', prefix: 'shop', region: 'us-east-1', pathStyle: false } as const;
    const classIn = (bucket: string) =>
      (parse(recoveredText(text, { ...base, bucket }, '/i')) as { stores: { recovery: { storageClass?: string } } })
        .stores.recovery.storageClass;
    expect(['a', 'b', 'c'].map(classIn)).toEqual(['GLACIER', 'DEEP_ARCHIVE', undefined]);
  });

  it('a rule of copies, and what is kept in each store: go with the stores, which one store could not meet', () => {
    const text = [
      'system: shop',
      'stores: { nas: { kind: directory, path: /mnt/nas }, s3: { kind: s3, bucket: b } }',
      'rule: {}',
      'plans: { daily: { components: [data], stores: [nas, s3], keep: { daily: 7 }, keepIn: { s3: { yearly: 9 } } } }',
    ].join('\n');
    const address = { name: 'recovery', kind: 'directory', path: '/mnt/usb', mustBeMounted: false } as const;
    expect(parse(recoveredText(text, address, '/root/identity'))).toEqual({
      system: 'shop',
      stores: { recovery: { kind: 'directory', path: '/mnt/usb', mustBeMounted: false } },
      plans: { daily: { components: ['data'], stores: ['recovery'], keep: { daily: 7 } } },
      keys: { identity: { file: '/root/identity' } },
    });
  });
});
