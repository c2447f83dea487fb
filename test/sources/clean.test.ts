/** What is looked at in a copy that may be hostile: by a program that can harm nothing, and by what its files look like. */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runConfined } from '../../src/sources/clean/confined.ts';
import { compareProfiles, writeProfile } from '../../src/sources/clean/profile.ts';
import { scratchDirectory } from './sample-tree.ts';

let scratch: ReturnType<typeof scratchDirectory>;
const { signal } = new AbortController();

beforeEach(() => {
  scratch = scratchDirectory('clean');
});
afterEach(() => scratch.remove());

const at = (...names: string[]): string => join(scratch.path, ...names);
const limits = { timeoutMs: 60_000, signal };

function put(root: string, files: Readonly<Record<string, Buffer | string>>): void {
  for (const [name, bytes] of Object.entries(files)) {
    mkdirSync(dirname(at(root, name)), { recursive: true });
    writeFileSync(at(root, name), bytes);
  }
}

test('a hostile check: it reads the copy, writes to its own directory alone, finds no network, no daemon and no other process [B8]', async (context) => {
  put('copy', { 'a.txt': 'hello' });
  mkdirSync(at('work'));
  writeFileSync(at('live'), 'live');
  writeFileSync(
    at('call.cjs'),
    `const path = process.argv[2].replace('@', '\\0');
     require('net').connect({ path }).on('error', () => {}).on('connect', () => {
       require('fs').writeFileSync(process.env.TMPDIR + '/reached', path);
       process.exit();
     });`,
  );
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as { port: number };
  // As Docker, a database or a bus have them: under a name somewhere, and without one.
  const names = [at('daemon.sock'), `\0holdfast-${randomBytes(6).toString('hex')}`];
  const daemons = names.map((name) => createServer((caller) => caller.end()).listen(name));
  for (const daemon of daemons) if (!daemon.listening) await once(daemon, 'listening');
  try {
    const script = [
      `cat "$HOLDFAST_SCRATCH/a.txt" > "$TMPDIR/out"`,
      `rm -f ${at('live')} 2>/dev/null; echo bad > ${at('live')} 2>/dev/null`,
      `echo bad > "$HOLDFAST_SCRATCH/a.txt" 2>/dev/null`,
      `mount -o remount,bind,rw / 2>/dev/null && echo undone > "$TMPDIR/undone"`,
      `kill -0 ${process.pid} 2>/dev/null && echo seen > "$TMPDIR/seen"`,
      `(exec 3<>/dev/tcp/127.0.0.1/${port}) 2>/dev/null && echo reached > "$TMPDIR/reached"`,
      ...names.map((name) => `${process.execPath} ${at('call.cjs')} '${name.replace('\0', '@')}'`),
      `ls -l /dev | grep -q '^b' && touch "$TMPDIR/disk"`,
      `ls /dev > "$TMPDIR/devices"; echo x > /dev/null && touch "$TMPDIR/null"`,
      'echo found it; exit 1',
    ].join('; ');
    const places = { scratch: at('copy'), work: at('work') };
    const ended = await runConfined(['bash', '-c', script], places, limits);
    expect(ended).toMatchObject({
      exitCode: 1,
      timedOut: false,
      output: expect.stringContaining('found it') as string,
    });
    // Where nothing can be confined that is told, and there is nothing to see here.
    const possible = spawnSync('unshare', ['--mount', '--net', '--ipc', '--pid', '--fork', 'true']).status === 0;
    if (!possible) return context.skip(ended.notConfined);
    expect(ended.notConfined).toBeUndefined();
    expect(readFileSync(at('work', 'out'), 'utf8')).toBe('hello');
    const devices = 'fd full null random shm stderr stdin stdout urandom zero';
    expect(readFileSync(at('work', 'devices'), 'utf8').trim().split('\n').join(' ')).toBe(devices);
    expect(existsSync(at('work', 'null'))).toBe(true);
    expect([readFileSync(at('live'), 'utf8'), readFileSync(at('copy', 'a.txt'), 'utf8')]).toEqual(['live', 'hello']);
    expect(['undone', 'seen', 'reached', 'disk'].filter((name) => existsSync(at('work', name)))).toEqual([]);
  } finally {
    for (const server of [listener, ...daemons]) server.close();
  }
});

test('any two trees: each file is compared with its own earlier version, whatever the names sort like', async () => {
  const name = fc.constantFrom('a', 'a.txt', 'a-b', 'd/x', 'd/y', 'd.x', 'd/e/z', 'ü');
  const file = fc.record({ name, noise: fc.boolean() });
  const tree = fc.uniqueArray(file, { selector: (one) => one.name });
  const text = Buffer.from('all is well, as it was yesterday\n'.repeat(60));
  const build = async (root: string, files: readonly { name: string; noise: boolean }[]): Promise<string> => {
    rmSync(at(root), { recursive: true, force: true });
    mkdirSync(at(root));
    put(root, Object.fromEntries(files.map((one) => [one.name, one.noise ? randomBytes(2000) : text])));
    await writeProfile(at(root), at(`${root}.jsonl`), { signal });
    return at(`${root}.jsonl`);
  };
  await fc.assert(
    fc.asyncProperty(tree, tree, async (before, after) => {
      const [earlier, later] = [await build('before', before), await build('after', after)];
      const counts = await compareProfiles(earlier, later, at('evidence.jsonl'), signal);
      const now = new Map(after.map((one) => [one.name, one.noise]));
      const readable = before.filter(({ noise }) => !noise);
      expect(counts).toMatchObject({
        before: readable.length,
        becameNoise: readable.filter((one) => now.get(one.name) === true).length,
        gone: readable.filter((one) => !now.has(one.name)).length,
        newNoise: after.filter((one) => one.noise && !before.some((each) => each.name === one.name)).length,
        noiseNow: after.filter(({ noise }) => noise).length,
        toldNow: after.length,
      });
    }),
    { numRuns: 40 },
  );
});

test('only the middle is encrypted, a picture stays a picture, a picture becomes noise: told apart', async () => {
  const text = 'all is well\n'.repeat(20_000);
  const partly = Buffer.from(text);
  randomBytes(40_000).copy(partly, 100_000);
  const picture = Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), randomBytes(50_000)]);
  put('before', { 'letter.txt': text, 'a.png': picture, 'b.png': picture, 'tiny.txt': 'x' });
  put('after', { 'letter.txt': partly, 'a.png': picture, 'b.png': randomBytes(50_000), 'tiny.txt': randomBytes(9) });
  for (const root of ['before', 'after']) await writeProfile(at(root), at(`${root}.jsonl`), { signal });
  const counts = await compareProfiles(at('before.jsonl'), at('after.jsonl'), at('evidence.jsonl'), signal);
  expect(counts).toMatchObject({ before: 3, becameNoise: 2, gone: 0, newNoise: 0 });
  expect(
    readFileSync(at('evidence.jsonl'), 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as unknown),
  ).toEqual([
    { path: 'b.png', what: 'became unreadable' },
    { path: 'letter.txt', what: 'became unreadable' },
  ]);
});
