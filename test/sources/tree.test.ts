import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  openSync,
  closeSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { extractTar } from '../../src/sources/extract/extract.ts';
import { aclText, aclValue } from '../../src/sources/acl.ts';
import { systemCallsProblem } from '../../src/sources/system-calls.ts';
import { treeArtifact } from '../../src/sources/tree/artifact.ts';
import { matcherOf } from '../../src/sources/tree/globs.ts';
import { materialise, readerOf } from './materialise.ts';
import { allocatedBytes, isRoot, makeSampleTree, noise, scratchDirectory, treeFacts } from './sample-tree.ts';

let scratch: ReturnType<typeof scratchDirectory>;
let tree: string;
let target: string;

beforeEach(() => {
  scratch = scratchDirectory('tree');
  tree = join(scratch.path, 'tree');
  target = join(scratch.path, 'target');
  mkdirSync(tree);
  mkdirSync(target);
});
afterEach(() => scratch.remove());

const never = new AbortController().signal;

async function unpack(bytes: Buffer): Promise<Awaited<ReturnType<typeof extractTar>>> {
  const reader = readerOf('tree.tar', 'application/x-tar', bytes);
  return extractTar(() => reader.read(), target, { signal: never, devices: isRoot ? 'make' : 'refuse' });
}

test('the system calls that Node.js lacks can be made here', () => {
  expect(systemCallsProblem()).toBeUndefined();
});

describe('a tree with odd names, links, holes, owners, ACLs, capabilities', () => {
  test('[M5] comes back equal in everything through our own tar', async () => {
    makeSampleTree(tree);
    const { bytes } = await materialise(treeArtifact(tree));
    const report = await unpack(bytes);
    expect(report.warnings).toEqual([]);
    expect(treeFacts(target)).toEqual(treeFacts(tree));
    expect(allocatedBytes(join(target, 'sparse'))).toBeLessThan(1_000_000);
    expect(allocatedBytes(join(target, 'all-hole'))).toBe(0);
  });

  test('[M5] comes back equal when GNU tar unpacks it', async () => {
    makeSampleTree(tree);
    const { bytes } = await materialise(treeArtifact(tree));
    const options = ['--xattrs', '--xattrs-include=*', '--acls', '--numeric-owner', '--same-owner', '--warning=none'];
    execFileSync('tar', ['-C', target, ...options, '-xpf', '-'], { input: bytes });
    expect(treeFacts(target)).toEqual(treeFacts(tree));
  });
});

test('a single file is a tar of that file alone', async () => {
  writeFileSync(join(tree, 'key.pem'), 'secret', { mode: 0o600 });
  const { bytes } = await materialise(treeArtifact(join(tree, 'key.pem')));
  expect(execFileSync('tar', ['-tf', '-'], { input: bytes }).toString()).toBe('key.pem\n');
});

test('a tree that does not exist: SourceMissing', async () => {
  await expect(materialise(treeArtifact(join(tree, 'nothing')))).rejects.toMatchObject({ code: 'SourceMissing' });
});

test('leaving the segments early ends the scan', async () => {
  makeMany(300);
  for await (const segment of treeArtifact(tree).segments()) {
    expect(segment.kind).toBe('recipes');
    break;
  }
  expect(treeArtifact(tree).report()).toBeUndefined();
});

test('sockets are left out and said to be', async () => {
  writeFileSync(join(tree, 'file'), 'x');
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(join(tree, 'socket'), resolve));
  try {
    const artifact = treeArtifact(tree);
    await materialise(artifact);
    expect(artifact.report()).toMatchObject({ files: 1, entries: 1 });
    expect(artifact.report()?.warnings).toEqual([expect.stringContaining('1 sockets were left out')]);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
});

describe('what is left out', () => {
  async function names(options: Parameters<typeof treeArtifact>[1]): Promise<string[]> {
    const { bytes } = await materialise(treeArtifact(tree, options));
    return execFileSync('tar', ['-tf', '-'], { input: bytes }).toString().trim().split('\n');
  }

  beforeEach(() => {
    for (const directory of ['logs/old', 'conf.d', 'empty']) mkdirSync(join(tree, directory), { recursive: true });
    for (const file of ['a.log', 'logs/b.log', 'logs/old/c.log', 'conf.d/x.yaml', 'conf.d/.env']) {
      writeFileSync(join(tree, file), file);
    }
  });

  test('an excluded name goes at every depth, an excluded path with all below it', async () => {
    expect(await names({ exclude: ['*.log'] })).toEqual([
      './',
      'conf.d/',
      'conf.d/.env',
      'conf.d/x.yaml',
      'empty/',
      'logs/',
      'logs/old/',
    ]);
    expect(await names({ exclude: ['logs/old', 'empty'] })).not.toContain('logs/old/c.log');
  });

  test('only what is included comes, with the directories that lead there', async () => {
    expect(await names({ include: ['logs/**/*.log'] })).toEqual([
      './',
      'logs/',
      'logs/b.log',
      'logs/old/',
      'logs/old/c.log',
    ]);
    expect(await names({ include: ['conf.d'], exclude: ['.env'] })).toEqual(['./', 'conf.d/', 'conf.d/x.yaml']);
  });

  test('files younger than the minimum age wait', async () => {
    const anHourAgo = Date.now() / 1000 - 3600;
    utimesSync(join(tree, 'logs/b.log'), anHourAgo, anHourAgo);
    const found = await names({ minimumAgeSeconds: 1800 });
    expect(found.filter((name) => !name.endsWith('/'))).toEqual(['logs/b.log']);
  });

  test.each([
    ['*.log', 'deep/in/a.log', true],
    ['/top', 'top', true],
    ['/top', 'sub/top', false],
    ['a/*/c', 'a/b/c', true],
    ['a/*/c', 'a/b/x/c', false],
    ['a/**', 'a/b/c', true],
    ['**/c', 'c', true],
    ['f[0-3].{txt,md}', 'f2.md', true],
    ['f[!0-3]', 'f2', false],
    ['a+b(c).$', 'a+b(c).$', true],
    ['?', 'é', true],
    ['\\*', 'x', false],
  ])('pattern %s and path %s: %s', (pattern, path, expected) => {
    expect(matcherOf([pattern])(path)).toBe(expected);
  });
});

function makeMany(count: number): void {
  for (let index = 0; index < count; index += 1) {
    const directory = join(tree, `d${index % 20}`);
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, `f${index}`), noise(20_000 + ((index * 7919) % 60_000), `many ${index}`));
  }
}

/** So that nothing in the tree is too young to be remembered. */
function settle(): void {
  execFileSync('sh', ['-c', `find "$1" -exec touch -h -d '1 hour ago' {} +`, 'sh', tree]);
}

describe('incremental', () => {
  const known = (taken: Awaited<ReturnType<typeof materialise>>): Set<string> =>
    new Set(taken.segments.flatMap(({ fingerprint }) => fingerprint ?? []));

  test('nothing changed: every fingerprint is the same and nothing is read', async () => {
    makeMany(200);
    const first = await materialise(treeArtifact(tree));
    const again = await materialise(treeArtifact(tree), known(first));
    expect(again.bytes.length).toBe(0);
    expect(first.segments.length).toBeGreaterThan(3);
  });

  test('one new file among many moves only the chunks around it', async () => {
    makeMany(600);
    const first = await materialise(treeArtifact(tree));
    writeFileSync(join(tree, 'd7', 'f-new'), noise(30_000, 'new'));
    const second = await materialise(treeArtifact(tree), known(first));
    expect(second.bytes.length).toBeGreaterThan(30_000);
    // The directory's own entry may lie in another group than the new file.
    expect(second.bytes.length).toBeLessThan(4 * 4 * 1024 * 1024);
    expect(second.segments.filter(({ bytes }) => bytes > 0).length).toBeLessThanOrEqual(4);
  });

  test('a large file changed in place gives the same chunks but for the changed blocks', async () => {
    writeFileSync(join(tree, 'ledger'), noise(10 * 1024 * 1024 + 123, 'ledger'));
    const first = await materialise(treeArtifact(tree));
    const fd = openSync(join(tree, 'ledger'), 'r+');
    writeSync(fd, 'changed', 5 * 1024 * 1024 + 10);
    closeSync(fd);
    const second = await materialise(treeArtifact(tree));
    const before = new Set(first.chunks.map((chunk) => chunk.toString('base64')));
    const fresh = second.chunks.filter((chunk) => !before.has(chunk.toString('base64')));
    // The header with the new time, and the one block.
    expect(fresh.length).toBe(2);
    expect(fresh.reduce((sum, chunk) => sum + chunk.length, 0)).toBeLessThan(1024 * 1024 + 100_000);
  });

  test.each([
    ['contents', () => appendFileSync(join(tree, 'd1', 'f1'), 'x')],
    ['mode', () => execFileSync('chmod', ['600', join(tree, 'd1', 'f1')])],
    ['name', () => renameSync(join(tree, 'd1', 'f1'), join(tree, 'd1', 'f1x'))],
    [
      'same size and time, other inode',
      () => {
        const file = join(tree, 'd1', 'f1');
        execFileSync('cp', ['-p', file, `${file}.copy`]);
        renameSync(`${file}.copy`, file);
      },
    ],
    ['removed', () => rmSync(join(tree, 'd1', 'f1'))],
  ])('a changed %s shows in the fingerprint', async (_what, change) => {
    makeMany(40);
    const first = await materialise(treeArtifact(tree));
    change();
    const second = await materialise(treeArtifact(tree), known(first));
    expect(second.bytes.length).toBeGreaterThan(0);
  });

  test('what changed less than two seconds before the scan is not settled, and is later', async () => {
    makeMany(10);
    // Set back, but the change time says when that was done.
    settle();
    const { segments } = await materialise(treeArtifact(tree));
    expect(segments.every(({ settled }) => !settled)).toBe(true);
    await expect
      .poll(async () => (await materialise(treeArtifact(tree))).segments.every(({ settled }) => settled), {
        timeout: 60_000,
      })
      .toBe(true);
  });
});

test('an ACL survives the way to text and back', () => {
  const text = 'user::rwx,user:1000:r-x,group::r--,group:5:-w-,mask::rwx,other::---';
  expect(aclText(aclValue(text) ?? '')).toBe(text);
  expect(aclValue('u::rw-\nuser:joe:r--:1000\n')).toBeUndefined();
  expect(aclValue('user:someone:rwx')).toBeUndefined();
});
