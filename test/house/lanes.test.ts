import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { LANES, LONG, SELECTIONS } from '../../scripts/test/lanes.ts';
import type { Project } from '../../scripts/test/lanes.ts';
import { importsOf } from './imports.ts';
import { readText, trackedFiles } from './tree.ts';

const PROJECTS = [...LANES.flat(), ...LONG];
/** What starts containers and PostgreSQL servers. */
const SHARED = ['test/support/docker.ts', 'test/support/postgres.ts'];

const files = new Set(trackedFiles());
const tests = [...files].filter((file) => /^test\/.*\.test\.ts$/.test(file));

function projectsOf(file: string): Project[] {
  const matches = (globs: readonly string[]): boolean => globs.some((glob) => path.matchesGlob(file, glob));
  return PROJECTS.filter((project) => matches(SELECTIONS[project].include) && !matches(SELECTIONS[project].exclude));
}

/** Everything that its code leads to, itself included. */
function reachedFrom(file: string, reached = new Set<string>()): Set<string> {
  if (reached.has(file) || !files.has(file)) return reached;
  reached.add(file);
  for (const { target, typeOnly } of importsOf(file, readText(file))) if (!typeOnly) reachedFrom(target, reached);
  return reached;
}

describe('the lanes of the tests', () => {
  it('every test is run once, by one project', () => {
    expect(tests.length).toBeGreaterThan(100);
    expect(tests.filter((file) => projectsOf(file).length !== 1)).toEqual([]);
    expect(new Set(PROJECTS).size).toBe(PROJECTS.length);
  });

  it('what uses containers or starts PostgreSQL is in the lane where one such file runs at a time', () => {
    const using = tests.filter((file) => [...reachedFrom(file)].some((each) => SHARED.includes(each)));
    expect(using.length).toBeGreaterThan(30);
    const oneAtATime: readonly Project[] = ['databases', ...LONG];
    expect(using.filter((file) => !projectsOf(file).every((one) => oneAtATime.includes(one)))).toEqual([]);
  });
});
