/** The time-skipping server of the workflow tests: found (explicit path, PATH, cache), else downloaded, else by Maven. */
import { createHash } from 'node:crypto';
import { chmodSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { cached } from './cache.ts';
import { downloadServer } from './download.ts';
import { findProgram, isExecutable, run, withRetries } from './run.ts';
import { doing, say, SetupError } from './say.ts';
import { ensurePackages } from './packages.ts';
import { VERSIONS } from './versions.ts';

const PINS = path.join(import.meta.dirname, 'maven');
const NAME = 'temporal-test-server';

/** Finds its parts beside itself, wherever the cache is and whatever link it was called by. */
const WRAPPER = `#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
exec java -cp "$here/lib/*" io.temporal.testserver.TestServer "$@"
`;

/** Every part must be one that sha256sums names, with those bytes, and none may be missing. */
export function checkParts(directory: string, sums: string): void {
  const pinned = new Map(
    sums
      .trim()
      .split('\n')
      .map((line) => line.split(/\s+/, 2))
      .map(([sum = '', file = '']) => [file, sum]),
  );
  const found = readdirSync(directory).sort();
  for (const file of found) {
    const sum = createHash('sha256')
      .update(readFileSync(path.join(directory, file)))
      .digest('hex');
    if (pinned.get(file) !== sum) throw new Error(`${file} is not the pinned one (sha256 ${sum})`);
  }
  const missing = [...pinned.keys()].filter((file) => !found.includes(file));
  if (missing.length > 0) throw new Error(`missing: ${missing.join(', ')}`);
}

async function byMaven(directory: string): Promise<void> {
  if (findProgram('java') === undefined || findProgram('mvn') === undefined) {
    await ensurePackages(['java', 'mvn'], 'the time-skipping Temporal server');
  }
  const mvn = findProgram('mvn');
  if (mvn === undefined) throw new SetupError('Maven is missing. Install Java 17 and Maven (`apt-get install maven`).');
  const scratch = mkdtempSync(path.join(tmpdir(), 'holdfast-maven-'));
  const library = path.join(directory, 'lib');
  try {
    cpSync(PINS, scratch, { recursive: true });
    const args = ['-q', '-B', 'dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${library}`];
    await withRetries('Maven', () => run(mvn, args, { cwd: scratch }));
    checkParts(library, readFileSync(path.join(PINS, 'sha256sums'), 'utf8'));
    writeFileSync(path.join(directory, NAME), WRAPPER);
    chmodSync(path.join(directory, NAME), 0o755);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function make(directory: string): Promise<void> {
  try {
    await doing(`Downloading the time-skipping Temporal server ${VERSIONS.testServer}`, () =>
      downloadServer(NAME, VERSIONS.testServer, path.join(directory, NAME)),
    );
  } catch (error) {
    say(`  not downloaded: ${error instanceof Error ? error.message : String(error)}`);
    await doing('Fetching its parts with Maven', () => byMaven(directory));
  }
}

/** Returns the path of the time-skipping server. */
export async function testServer(): Promise<string> {
  const explicit = process.env['HOLDFAST_TEST_SERVER'];
  if (explicit !== undefined && explicit !== '') {
    if (isExecutable(explicit)) return path.resolve(explicit);
    throw new SetupError(`HOLDFAST_TEST_SERVER is ${explicit}, which is no program.`);
  }
  return findProgram(NAME) ?? cached({ name: NAME, version: VERSIONS.testServer, program: NAME }, make);
}
