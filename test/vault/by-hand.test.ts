import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { chunkId } from '../../src/seal/index.ts';
import { epochOf } from '../../src/vault/epoch.ts';
import { parseChunkIdKey } from '../../src/vault/index.ts';
import { artifactOf, backUp, makeTestVault, noise, recipeSegment, streamSegment } from '../support/vault.ts';
import type { TestVault } from '../support/vault.ts';

const run = promisify(execFile);

/** What RECOVERY.md names, and what every Debian has anyway. */
const TOOLS = ['jq', 'age', 'zstd', 'tar', 'ssh-keygen'];
const BASICS = [
  'sh',
  'mkdir',
  'ls',
  'sort',
  'grep',
  'cat',
  'tail',
  'cut',
  'tr',
  'wc',
  'dirname',
  'rm',
  'find',
  'sed',
  'head',
  'dd',
];

let vault: TestVault;
let toolbox: string;
let manifestKey: string;
const dump = noise(7, 7_000_000);
const log = noise(8, 100_000);

beforeAll(async () => {
  vault = await makeTestVault();
  toolbox = await makeToolbox();
  const writer = await vault.writer();
  // More than one level of lists: the chunk in the middle ends a node.
  const before = Array.from({ length: 140 }, (_, index) => noise(index + 1, 100));
  const chunks = [...before, chunkThatEndsANode(), noise(999, 100)];
  const many = artifactOf('many.bin', [recipeSegment('many', chunks)]);
  const tar = artifactOf('tree.tar', [streamSegment(await tarOfTree())], 'application/x-tar');
  const artifacts = [artifactOf('app.dump', [streamSegment(dump)]), many, tar, artifactOf('empty.bin', [])];
  const made = await backUp(writer, { captureId: 'run-1', artifacts });
  manifestKey = made.manifestKey;
  expect(made.refs[1]?.depth).toBe(2);
  await writer.abandon(await writer.begin({ captureId: 'run-2', plan: 'daily', startedAtMs: Date.now() + 60_000 }));
  await writer.close();
  await storeLog();
});

afterAll(async () => {
  await rm(toolbox, { recursive: true, force: true });
  await vault[Symbol.asyncDispose]();
});

describe('[M5] the commands of the RECOVERY.md that lies in a vault, without Holdfast', () => {
  test('the right identity and root fingerprint: every artifact and tree comes back', async () => {
    const work = join(vault.directory, 'restored');
    const { stdout } = await runGuide(work, {});
    expect(stdout).toContain('Good "holdfast-manifest" signature');
    expect((await readFile(join(work, 'artifacts.d/ledger/app.dump'))).equals(dump)).toBe(true);
    expect((await readFile(join(work, 'artifacts.d/ledger/many.bin'))).length).toBe(14_200);
    expect((await readFile(join(work, 'artifacts.d/ledger/empty.bin'))).length).toBe(0);
    expect(await readFile(join(work, 'trees/ledger/tree/a b/file'), 'utf8')).toBe('hello\n');
    expect(await readFile(join(work, 'system.yaml'), 'utf8')).toContain('stack-under-test');
    const segment = await readFile(join(work, 'wal.d/ledger/7400/000000010000000000000003'));
    expect(segment.length).toBe(1024 * 1024);
    expect(segment.subarray(0, log.length).equals(log)).toBe(true);
    expect(segment.subarray(log.length).every((byte) => byte === 0)).toBe(true);
    expect(await readFile(join(work, 'wal.d/ledger/7400/00000001.history'), 'utf8')).toBe('made up\n');
  });

  test('the escrow identity opens it as well', async () => {
    const work = join(vault.directory, 'restored-by-escrow');
    await runGuide(work, { identity: vault.keys.escrow.identity });
    expect((await readFile(join(work, 'artifacts.d/ledger/app.dump'))).equals(dump)).toBe(true);
  });

  test('another root fingerprint: it stops before anything is opened', async () => {
    const work = join(vault.directory, 'not-restored');
    const failed = runGuide(work, { rootFingerprint: 'SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' });
    await expect(failed).rejects.toMatchObject({
      stderr: expect.stringContaining('is not signed by the root') as string,
    });
  });

  test('an edited manifest: it stops at the signature', async () => {
    const copy = join(vault.directory, 'edited');
    await run('cp', ['-a', vault.storePath, copy]);
    const text = await readFile(join(copy, manifestKey), 'utf8');
    await writeFile(join(copy, manifestKey), text.replace('host-a', 'host-b'));
    const failed = runGuide(join(vault.directory, 'not-restored-2'), { vaultPath: copy });
    await expect(failed).rejects.toMatchObject({ stderr: expect.stringContaining('does not hold') as string });
  });
});

/** The beginning of a segment, in pieces that overlap. */
async function storeLog(): Promise<void> {
  const writer = await vault.walWriter('ledger');
  const common = { systemIdentifier: '7400', timeline: 1, receivedAtMs: Date.now() };
  for (const [from, to] of [
    [0, 1_000],
    [0, 90_000],
    [90_000, 100_000],
  ] as const) {
    const piece = { ...common, segmentBytes: 1024 * 1024, from: 0x300000n + BigInt(from), bytes: log.slice(from, to) };
    expect(await writer.storeRange(piece)).toBe('written');
  }
  await writer.storeHistory({ ...common, bytes: Buffer.from('made up\n') });
  await writer.close();
}

/** Nodes end where an id says so; the id depends on the vault's key, so one is searched. */
function chunkThatEndsANode(): Uint8Array {
  const { operations, escrow, chunkIdKey } = vault.keys;
  const { idKey } = epochOf([operations.recipient, escrow.recipient], parseChunkIdKey(chunkIdKey));
  for (let seed = 1_000; ; seed += 1) {
    const bytes = noise(seed, 100);
    if (Number.parseInt(chunkId(idKey, bytes).slice(0, 8), 16) % 1024 === 0) return bytes;
  }
}

async function runGuide(
  work: string,
  options: { identity?: string; rootFingerprint?: string; vaultPath?: string },
): Promise<{ stdout: string; stderr: string }> {
  const { vaultPath = vault.storePath } = options;
  const guide = await readFile(join(vaultPath, 'RECOVERY.md'), 'utf8');
  const script = [...guide.matchAll(/^```sh\n(.*?)^```$/gms)].map((block) => block[1]).join('\n');
  const identityFile = join(vault.directory, 'identity.txt');
  await writeFile(identityFile, `${options.identity ?? vault.keys.operations.identity}\n`, { mode: 0o600 });
  const environment = {
    PATH: toolbox,
    VAULT: vaultPath,
    IDENTITY: identityFile,
    ROOT_FINGERPRINT: options.rootFingerprint ?? vault.keys.root.fingerprint,
    WORK: work,
  };
  return run(join(toolbox, 'sh'), ['-c', script], { env: environment });
}

/** A directory with the allowed programs and no others. */
async function makeToolbox(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-tools-'));
  for (const name of [...TOOLS, ...BASICS]) await symlink(await which(name), join(directory, name));
  return directory;
}

async function which(name: string): Promise<string> {
  const places = (process.env['PATH'] ?? '').split(delimiter);
  const { stdout } = await run('sh', ['-c', `command -v "$1"`, 'sh', name], {
    env: { PATH: [...places, '/usr/bin', '/bin'].join(delimiter) },
  });
  return stdout.trim();
}

async function tarOfTree(): Promise<Uint8Array> {
  const tree = join(vault.directory, 'tree');
  await mkdir(join(tree, 'a b'), { recursive: true });
  await writeFile(join(tree, 'a b/file'), 'hello\n');
  const { stdout } = await run('tar', ['--format=pax', '-cf', '-', '-C', tree, '.'], { encoding: 'buffer' });
  return stdout;
}
