import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HoldfastError } from '../../src/failures.ts';
import type { ExtractOptions } from '../../src/sources/extract/extract.ts';
import { extractTar } from '../../src/sources/extract/extract.ts';
import { END_ENTRY } from '../../src/sources/tree/entry.ts';
import type { TreeEntry } from '../../src/sources/tree/entry.ts';
import { tarHeader } from '../../src/sources/tree/headers.ts';
import { treeArtifact } from '../../src/sources/tree/artifact.ts';
import { materialise, readerOf } from './materialise.ts';
import { allocatedBytes, isRoot, makeSampleTree, noise, scratchDirectory, treeFacts } from './sample-tree.ts';

let scratch: ReturnType<typeof scratchDirectory>;
let target: string;

beforeEach(() => {
  scratch = scratchDirectory('extract');
  target = join(scratch.path, 'target');
  mkdirSync(target);
});
afterEach(() => scratch.remove());

const never = new AbortController().signal;

async function extract(bytes: Buffer, options: Partial<ExtractOptions> = {}): ReturnType<typeof extractTar> {
  const reader = readerOf('a.tar', 'application/x-tar', bytes);
  return extractTar(() => reader.read(), target, { signal: never, ...options });
}

function entry(path: string, more: Partial<TreeEntry> & { contents?: string } = {}): Buffer {
  const { contents = '', ...facts } = more;
  const sizeBytes = contents.length;
  const header = tarHeader({ ...END_ENTRY, type: 'file', path, mode: 0o644, sizeBytes, ...OWN, ...facts });
  const padding = Buffer.alloc((512 - (sizeBytes % 512)) % 512);
  return Buffer.concat([header, Buffer.from(contents), padding]);
}

const OWN = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };

function tar(...parts: readonly Buffer[]): Buffer {
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

/** Changes fields of the first header of an archive and makes its checksum right again. */
function forged(bytes: Buffer, at: number, text: string): Buffer {
  const copy = Buffer.from(bytes);
  copy.write(text, at, 'latin1');
  copy.write('        ', 148, 'latin1');
  const sum = copy.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  copy.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return copy;
}

describe('archives of GNU tar', () => {
  test.each(['gnu', 'posix', 'ustar', 'v7', 'oldgnu'])('format %s comes back equal', async (format) => {
    const source = join(scratch.path, 'source');
    mkdirSync(join(source, 'a/b'), { recursive: true });
    writeFileSync(join(source, 'a/file'), noise(100_000, 'file'));
    writeFileSync(join(source, 'a/b/empty'), '');
    symlinkSync('../file', join(source, 'a/b/link'));
    execFileSync('ln', [join(source, 'a/file'), join(source, 'a/hard')]);
    if (format === 'gnu' || format === 'posix') {
      writeFileSync(join(source, 'l'.repeat(180)), 'long');
      symlinkSync('t'.repeat(180), join(source, 'long-target'));
    }
    execFileSync('sh', ['-c', `find "$1" -exec touch -h -d '2020-02-03 04:05:06' {} +`, 'sh', source]);
    const bytes = execFileSync('tar', ['-C', source, `--format=${format}`, '-cf', '-', '.'], { maxBuffer: 2 ** 26 });
    await extract(bytes);
    expect(treeFacts(target)).toEqual(treeFacts(source));
  });

  test.runIf(isRoot)('with extended attributes, ACLs and devices: comes back equal', async () => {
    const source = join(scratch.path, 'source');
    mkdirSync(source);
    makeSampleTree(source);
    const options = ['--format=posix', '--xattrs', '--xattrs-include=*', '--acls', '--warning=none'];
    const bytes = execFileSync('tar', ['-C', source, ...options, '-cf', '-', '.'], { maxBuffer: 2 ** 28 });
    const report = await extract(bytes, { devices: 'make' });
    expect(report.warnings).toEqual([]);
    expect(treeFacts(target)).toEqual(treeFacts(source));
  });
});

describe('single paths', () => {
  test('only they come, with the directories above them and their facts', async () => {
    const source = join(scratch.path, 'source');
    mkdirSync(source);
    makeSampleTree(source);
    const { bytes } = await materialise(treeArtifact(source));
    await extract(bytes, { paths: ['a/b/up', './many/f7/', 'odd'] });
    const wanted = treeFacts(source).filter((line) =>
      /^"\.(\/a|\/a\/b|\/a\/b\/up|\/many|\/many\/f7|\/odd(\/.*)?)?" /.test(line),
    );
    expect(treeFacts(target)).toEqual(wanted);
  });

  test('hard links whose file is not asked for bring the contents all the same', async () => {
    const source = join(scratch.path, 'source');
    mkdirSync(source);
    makeSampleTree(source);
    const { bytes } = await materialise(treeArtifact(source));
    await extract(bytes, { paths: ['a/one', 'zz-one-more'] });
    expect(readFileSync(join(target, 'a/one'), 'utf8')).toBe('one\n');
    expect(lstatSync(join(target, 'zz-one-more')).ino).toBe(lstatSync(join(target, 'a/one')).ino);
  });

  test('a path that is not in the archive: BadInput', async () => {
    const bytes = tar(entry('here', { contents: 'x' }));
    await expect(extract(bytes, { paths: ['there'] })).rejects.toMatchObject({ code: 'BadInput' });
  });
});

test('holes come back as holes, short runs of zeros as bytes, wherever the pieces end', async () => {
  const data = noise(300_000, 'holes');
  data.fill(0, 10_000, 140_000);
  data.fill(0, 200_000, 203_000);
  data.fill(0, 250_000);
  const source = join(scratch.path, 'source');
  mkdirSync(source);
  writeFileSync(join(source, 'file'), data);
  const { bytes } = await materialise(treeArtifact(source));
  for (const pieceBytes of [512, 33_333, 1_000_000]) {
    const place = join(scratch.path, `pieces-${pieceBytes}`);
    mkdirSync(place);
    const reader = readerOf('a.tar', 'application/x-tar', bytes, pieceBytes);
    await extractTar(() => reader.read(), place, { signal: never });
    expect(readFileSync(join(place, 'file')).equals(data)).toBe(true);
    expect(allocatedBytes(join(place, 'file'))).toBeLessThan(150_000);
  }
});

test.each(['on a disk', 'in memory'])(
  'a large file with holes and an odd length comes back equal, wherever the pieces end: %s',
  async (where) => {
    const data = noise(10_000_001, 'large');
    data.fill(0, 2_000_000, 4_500_000);
    data.fill(0, 9_000_000, 9_010_000);
    writeFileSync(join(scratch.path, 'file'), data);
    const { bytes } = await materialise(treeArtifact(join(scratch.path, 'file')));
    const base = mkdtempSync(where === 'on a disk' ? join(scratch.path, 'large-') : '/dev/shm/holdfast-large-');
    try {
      for (const pieceBytes of [33_333, 1_000_000, 4_194_304]) {
        const place = join(base, String(pieceBytes));
        mkdirSync(place);
        const reader = readerOf('a.tar', 'application/x-tar', bytes, pieceBytes);
        await extractTar(() => reader.read(), place, { signal: never });
        expect(readFileSync(join(place, 'file')).equals(data)).toBe(true);
        expect(allocatedBytes(join(place, 'file'))).toBeLessThan(8_000_000);
      }
    } finally {
      rmSync(base, { recursive: true });
    }
  },
);

test('many small files come back equal, links to the newest of them too', async () => {
  const source = join(scratch.path, 'source');
  for (let index = 0; index < 1200; index += 1) {
    const directory = join(source, `d${index % 10}`);
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, `f${index}`), noise(index % 3000, `small ${index}`), {
      mode: index % 2 === 0 ? 0o600 : 0o755,
    });
  }
  execFileSync('ln', [join(source, 'd9', 'f1199'), join(source, 'd9', 'z-link')]);
  const { bytes } = await materialise(treeArtifact(source));
  const report = await extract(bytes);
  expect(report).toMatchObject({ files: 1200, directories: 11, links: 1 });
  expect(treeFacts(target)).toEqual(treeFacts(source));
});

test('[M10] a small file twice, far apart: ArchiveBroken all the same', async () => {
  const many = Array.from({ length: 1200 }, (_, index) => entry(`f${index}`, { contents: 'x'.repeat(600) }));
  await expect(extract(tar(...many, entry('f5')))).rejects.toMatchObject({ code: 'ArchiveBroken' });
});

describe('[M10] hostile archives write nothing outside', () => {
  const outside = (): string => join(scratch.path, 'outside');

  beforeEach(() => mkdirSync(outside()));
  afterEach(() => {
    expect(readdirSync(outside())).toEqual([]);
    expect(readdirSync(scratch.path).sort()).toEqual(['outside', 'target']);
  });

  const link = (path: string, to: string): Buffer => entry(path, { type: 'symlink', link: to, mode: 0o777 });
  const hard = (path: string, to: string): Buffer => entry(path, { type: 'hardlink', link: to });

  test.each<[string, () => Buffer]>([
    ['a name with ..', () => tar(entry('../outside/x', { contents: 'x' }))],
    ['.. in the middle', () => tar(entry('a/../../outside/x', { contents: 'x' }))],
    ['an absolute name', () => tar(entry(`${outside()}/x`, { contents: 'x' }))],
    ['a name through a link of its own', () => tar(link('l', outside()), entry('l/x', { contents: 'x' }))],
    [
      'a directory over a link, then a file below',
      () => tar(link('l', outside()), entry('l', { type: 'directory' }), entry('l/x')),
    ],
    ['a file over a link', () => tar(link('l', `${outside()}/x`), entry('l', { contents: 'x' }))],
    ['a hard link through a link', () => tar(link('l', outside()), hard('h', 'l/x'))],
    ['a hard link to an absolute name', () => tar(hard('h', '/etc/passwd'))],
    ['a hard link with ..', () => tar(hard('h', '../outside'))],
    ['a hard link to nothing', () => tar(hard('h', 'nothing'))],
    ['the target itself as a link', () => tar(link('.', outside()))],
    ['a device node', () => tar(entry('d', { type: 'block', deviceMajor: 8 }))],
    ['a directory twice', () => tar(entry('d', { type: 'directory' }), entry('d', { type: 'directory' }))],
    ['a file twice', () => tar(entry('f', { contents: '1' }), entry('./f', { contents: '2' }))],
    ['a file below a file', () => tar(entry('f', { contents: '1' }), entry('f/g', { contents: '2' }))],
  ])('%s', async (_what, archive) => {
    const failure: unknown = await extract(archive()).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(HoldfastError);
    expect(['UnsafePath', 'ArchiveBroken']).toContain((failure as HoldfastError).code);
  });

  test('links that point outside are kept as links and not followed', async () => {
    await extract(tar(link('out', outside()), link('up', '../../..'), hard('hard', 'out')));
    expect(readdirSync(target).sort()).toEqual(['hard', 'out', 'up']);
    expect(lstatSync(join(target, 'hard')).isSymbolicLink()).toBe(true);
  });

  test('a target that is a link: refused', async () => {
    const place = join(target, 'link');
    symlinkSync(outside(), place);
    const reader = readerOf('a.tar', 'application/x-tar', tar(entry('x')));
    await expect(extractTar(() => reader.read(), place, { signal: never })).rejects.toMatchObject({
      name: 'HoldfastError',
    });
  });
});

describe('[M10] broken archives are refused', () => {
  test('cut off anywhere: ArchiveBroken, never a success', async () => {
    const whole = tar(
      entry('d', { type: 'directory' }),
      entry('d/f', { contents: 'x'.repeat(1500), mtimeNs: 1n }),
      entry('g'),
    );
    for (const end of [0, 700, 1500, 2100, whole.length - 1024, whole.length - 1]) {
      const place = join(scratch.path, `cut-${end}`);
      mkdirSync(place);
      const reader = readerOf('a.tar', 'application/x-tar', whole.subarray(0, end));
      await expect(
        extractTar(() => reader.read(), place, { signal: never }),
        `cut at ${end}`,
      ).rejects.toMatchObject({
        code: 'ArchiveBroken',
      });
    }
  });

  test.each<[string, () => Buffer]>([
    ['a flipped bit in a header', () => flip(tar(entry('f', { contents: 'x' })), 30)],
    ['a size that is no number', () => forged(tar(entry('f')), 124, '0000000x000')],
    [
      'a size beyond all numbers',
      () => forged(tar(entry('f')), 124, '\xbf\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff'),
    ],
    ['a negative size', () => forged(tar(entry('f')), 124, '\xff'.repeat(12))],
    ['an unknown type', () => forged(tar(entry('f')), 156, 'S')],
    ['an extended header without end', () => forged(tar(entry('f', { mtimeNs: 1n })), 124, '77777777777')],
    ['an extended header of many MiB', () => forged(tar(entry('f', { mtimeNs: 1n })), 124, '00040000000')],
    ['an extended record with a wrong length', () => broken(tar(entry('f', { mtimeNs: 1n })), 512, '99')],
    ['an extended record without a value', () => broken(tar(entry('f', { mtimeNs: 1n })), 512, '5 abc\n')],
    ['a link with contents', () => forged(tar(entry('f', { type: 'symlink', link: 'x' })), 124, '00000000005')],
    ['data behind the end', () => Buffer.concat([tar(entry('f')), Buffer.from('x')])],
    ['a lone block of zeros in the middle', () => Buffer.concat([entry('f'), Buffer.alloc(512), tar(entry('g'))])],
    ['no archive at all', () => noise(10_240, 'no archive')],
  ])('%s', async (_what, archive) => {
    await expect(extract(archive())).rejects.toMatchObject({ code: 'ArchiveBroken' });
  });

  function flip(bytes: Buffer, at: number): Buffer {
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    return bytes;
  }

  function broken(bytes: Buffer, at: number, text: string): Buffer {
    bytes.write(text, at, 'latin1');
    return bytes;
  }
});

test('a target that is not empty: TargetNotEmpty, and what is there stays', async () => {
  writeFileSync(join(target, 'mine'), 'mine');
  await expect(extract(tar(entry('mine', { contents: 'x' })))).rejects.toMatchObject({ code: 'TargetNotEmpty' });
  expect(readFileSync(join(target, 'mine'), 'utf8')).toBe('mine');
});

test('no target: SourceMissing', async () => {
  const reader = readerOf('a.tar', 'application/x-tar', tar(entry('x')));
  const place = join(scratch.path, 'nowhere');
  await expect(extractTar(() => reader.read(), place, { signal: never })).rejects.toMatchObject({
    code: 'SourceMissing',
  });
  expect(existsSync(place)).toBe(false);
});

test('a cancel in the middle ends it with the reason of the cancel', async () => {
  const controller = new AbortController();
  async function* endless(): AsyncGenerator<Uint8Array> {
    yield new Uint8Array(tarHeader({ ...END_ENTRY, ...OWN, type: 'file', path: 'f', mode: 0o644, sizeBytes: 2 ** 40 }));
    for (;;) {
      yield new Uint8Array(1024 * 1024);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  const done = extractTar(() => endless(), target, {
    signal: controller.signal,
    onProgress: ({ bytesDone }) => {
      if (bytesDone > 4 * 1024 * 1024) controller.abort(new Error('enough'));
    },
  });
  await expect(done).rejects.toThrow('enough');
});

test('a source that fails in the middle: its own error comes through', async () => {
  async function* failing(): AsyncGenerator<Uint8Array> {
    yield new Uint8Array(entry('f', { contents: 'x' }));
    await Promise.resolve();
    throw new Error('the store went away');
  }
  await expect(extractTar(() => failing(), target, { signal: never })).rejects.toThrow('the store went away');
});
