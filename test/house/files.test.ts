import { existsSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { FAILURES } from '../../src/failures.ts';
import { readText, ROOT, textFiles, trackedFiles } from './tree.ts';

const LONGEST = 400;

/** Words that would tie a file to one machine or to a place packages come from; built here so that they don't match. */
const FORBIDDEN = [
  [
    'a directory of the machine it was written on',
    new RegExp(['/wo', 'rk/(main|shared|bare)|/tmp/', 'bg\\b'].join('')),
  ],
  ['a cache of the account it was written by', new RegExp(['/ro', 'ot/\\.'].join(''))],
  ['a host of a package registry', new RegExp(['registry\\.npm', 'js|registry\\.yarn', 'pkg'].join(''))],
] as const;

interface LockEntry {
  readonly dependencies?: Record<string, string>;
  readonly optionalDependencies?: Record<string, string>;
}

describe('files of the house', () => {
  it(`no TypeScript file is longer than ${LONGEST} lines`, () => {
    const long = trackedFiles()
      .filter((file) => file.endsWith('.ts'))
      .map((file) => ({ file, lines: readText(file).split('\n').length - 1 }))
      .filter(({ lines }) => lines > LONGEST);
    expect(long).toEqual([]);
  });

  it.each(FORBIDDEN)('no file names %s', (_what, pattern) => {
    const found = textFiles().flatMap((file) =>
      readText(file)
        .split('\n')
        .flatMap((line, index) => (pattern.test(line) ? [`${file}:${index + 1}: ${line.trim().slice(0, 120)}`] : [])),
    );
    expect(found).toEqual([]);
  });

  it('the lock file pins contents and names no place to fetch them from', () => {
    const lock = JSON.parse(readText('package-lock.json')) as { packages: Record<string, Record<string, unknown>> };
    const entries = Object.entries(lock.packages).filter(([name]) => name !== '');
    expect(entries.length).toBeGreaterThan(100);
    expect(entries.filter(([, entry]) => entry['resolved'] !== undefined)).toEqual([]);
    expect(entries.filter(([, entry]) => entry['integrity'] === undefined).map(([name]) => name)).toEqual([]);
  });

  it('the lock file is complete: what a package needs, also on other platforms, is in it, so that `npm ci` accepts it', () => {
    const lock = JSON.parse(readText('package-lock.json')) as { packages: Record<string, LockEntry> };
    const places = Object.keys(lock.packages);
    const missing = Object.entries(lock.packages).flatMap(([from, entry]) =>
      Object.keys({ ...entry.dependencies, ...entry.optionalDependencies })
        .filter((name) => !places.some((place) => place.endsWith(`node_modules/${name}`)))
        .map((name) => `${from} needs ${name}`),
    );
    expect(missing).toEqual([]);
  });

  it('every dependency is pinned to one version', () => {
    const manifest = JSON.parse(readText('package.json')) as Record<string, Record<string, string>>;
    const wanted = Object.entries({ ...manifest['dependencies'], ...manifest['devDependencies'] });
    expect(wanted.filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))).toEqual([]);
  });

  it('every program that package.json names exists', () => {
    const manifest = JSON.parse(readText('package.json')) as { scripts: Record<string, string> };
    const programs = Object.values(manifest.scripts).flatMap((script) => script.match(/\S+\.(ts|mjs)\b/g) ?? []);
    expect(programs.filter((program) => !existsSync(path.join(ROOT, program)))).toEqual([]);
  });

  it('every failure code is raised somewhere', () => {
    const source = trackedFiles()
      .filter((file) => /^src\/.*\.ts$/.test(file) && file !== 'src/failures.ts')
      .map(readText)
      .join('\n');
    expect(Object.keys(FAILURES).filter((code) => !source.includes(`'${code}'`))).toEqual([]);
  });

  it('the documents a reader is sent to exist, and their links lead somewhere', () => {
    const wanted = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'LICENSE', 'docs/FORMAT.md'];
    expect(wanted.filter((file) => !existsSync(path.join(ROOT, file)))).toEqual([]);
    const broken = trackedFiles()
      .filter((file) => file.endsWith('.md'))
      .flatMap((file) =>
        [...readText(file).matchAll(/\]\((?!https?:|mailto:|#)([^)#\s]+)/g)]
          .map((match) => match[1] ?? '')
          .filter((target) => !existsSync(path.join(ROOT, path.dirname(file), target)))
          .map((target) => `${file} → ${target}`),
      );
    expect(broken).toEqual([]);
  });
});
