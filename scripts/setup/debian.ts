/**
 * Packages of a release of Debian, unpacked into a directory. Neither the machine's packages nor its sources of packages
 * are touched, no service is started and no user is made. apt checks Debian's signatures.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { findProgram, run, withRetries } from './run.ts';

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const MIRROR = 'http://deb.debian.org/debian';
const LIMIT_MS = 300_000;

export interface DebianTree {
  readonly release: 'bookworm' | 'trixie';
  /** Exactly these: what they depend on is named as well when it is needed. */
  readonly packages: readonly string[];
}

/** Throws where there is no apt with Debian's keys, or another processor than the one the packages are made for. */
export async function unpackDebian({ release, packages }: DebianTree, directory: string): Promise<void> {
  if (process.arch !== 'x64' || findProgram('apt-get') === undefined || !existsSync(KEYRING)) {
    throw new Error('it is made of the packages of Debian for amd64, with apt');
  }
  const scratch = mkdtempSync(path.join(tmpdir(), 'holdfast-debian-'));
  try {
    const configuration = configure(scratch, release);
    const apt = (...args: string[]): Promise<string> =>
      withRetries(`apt-get ${args[0] ?? ''}`, () =>
        run('apt-get', ['-qq', ...args], { cwd: scratch, env: { APT_CONFIG: configuration }, timeoutMs: LIMIT_MS }),
      );
    await apt('update');
    await apt('download', ...packages);
    for (const file of readdirSync(scratch).filter((name) => name.endsWith('.deb'))) {
      await run('dpkg-deb', ['--extract', path.join(scratch, file), directory]);
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** An apt of its own: other sources, other lists, no installed packages. */
function configure(scratch: string, release: DebianTree['release']): string {
  for (const each of ['lists/partial', 'archives/partial']) mkdirSync(path.join(scratch, each), { recursive: true });
  writeFileSync(path.join(scratch, 'status'), '');
  writeFileSync(path.join(scratch, 'sources.list'), `deb [signed-by=${KEYRING}] ${MIRROR} ${release} main\n`);
  const settings = {
    'Dir::Etc::SourceList': path.join(scratch, 'sources.list'),
    'Dir::Etc::SourceParts': '/dev/null',
    'Dir::State': scratch,
    'Dir::State::status': path.join(scratch, 'status'),
    'Dir::Cache': scratch,
    'Acquire::Languages': 'none',
    'Acquire::IndexTargets::deb::DEP-11::DefaultEnabled': 'false',
    'APT::Sandbox::User': '',
  };
  const file = path.join(scratch, 'apt.conf');
  writeFileSync(
    file,
    Object.entries(settings)
      .map(([name, value]) => `${name} "${value}";\n`)
      .join(''),
  );
  return file;
}
