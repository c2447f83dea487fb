/** Builds a program from a Go module whose whole dependency tree is pinned by a committed go.sum. */
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { findProgram, run, withRetries } from './run.ts';
import { doing, SetupError } from './say.ts';

const MODULES = path.join(import.meta.dirname, 'go');
const OLDEST_GO = '1.21';

/** Go keeps modules read-only; a copy that can't be removed again would outlive what it was made for. */
function copyWritable(from: string, to: string): void {
  cpSync(from, to, { recursive: true });
  const entries = statSync(to).isDirectory() ? readdirSync(to, { recursive: true, encoding: 'utf8' }) : [];
  for (const each of [to, ...entries.map((entry) => path.join(to, entry))])
    chmodSync(each, statSync(each).mode | 0o200);
}

/** `module` is a directory under scripts/setup/go; `pkg` the main package; the program is written to `target`. */
export async function goBuild(build: {
  module: string;
  pkg: string;
  target: string;
  ldflags?: string;
  /** What else the person can do when there is no Go. */
  otherwise: string;
  /** Files and directories of a module's source that are put beside the program. */
  sources?: { of: string; paths: readonly string[] };
}): Promise<void> {
  const go = findProgram('go');
  if (go === undefined) {
    throw new SetupError(
      `${build.module} has to be built, and there is no Go (${OLDEST_GO} or newer). ${build.otherwise}`,
    );
  }
  const scratch = mkdtempSync(path.join(tmpdir(), 'holdfast-go-'));
  try {
    cpSync(path.join(MODULES, build.module), scratch, { recursive: true });
    mkdirSync(path.dirname(build.target), { recursive: true });
    // Read-only: a module that go.sum doesn't name is an error and never fetched.
    const env = { GOFLAGS: '-mod=readonly', CGO_ENABLED: '0' };
    await doing(`Fetching the Go modules of ${build.module}`, () =>
      withRetries('fetching', () => run(go, ['mod', 'download'], { cwd: scratch, env })),
    );
    const flags = ['-trimpath', '-ldflags', `-s -w ${build.ldflags ?? ''}`.trim()];
    await doing(`Building ${build.module} from source (several minutes, once)`, () =>
      run(go, ['build', ...flags, '-o', build.target, build.pkg], { cwd: scratch, env }),
    );
    if (build.sources === undefined) return;
    const source = (await run(go, ['list', '-m', '-f', '{{.Dir}}', build.sources.of], { cwd: scratch, env })).trim();
    for (const each of build.sources.paths) copyWritable(path.join(source, each), path.join(build.target, '..', each));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
