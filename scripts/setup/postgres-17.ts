/**
 * A newer PostgreSQL than Debian 12 has, for the tests of servers that are newer than the tools: the packages of Debian 13
 * with the C library they need, unpacked into a directory of their own. Neither the machine's packages nor its sources of
 * packages are touched. apt checks Debian's signatures.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { cached, toolPath } from './cache.ts';
import { findProgram, run, withRetries } from './run.ts';
import { doing, say } from './say.ts';

/** Debian's mirrors keep the newest fix of a release only, so none is pinned. */
const TOOL = { name: 'postgresql', version: '17', program: 'postgres' } as const;
const PROGRAM = 'usr/lib/postgresql/17/bin/postgres';
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const MIRROR = 'http://deb.debian.org/debian';

const PACKAGES: readonly string[] = [
  ...['postgresql-17', 'postgresql-client-17', 'libpq5', 'libc6', 'libc-bin', 'libgcc-s1', 'libstdc++6', 'libcrypt1'],
  ...['libselinux1', 'libpcre2-8-0', 'libpam0g', 'libaudit1', 'libcap-ng0', 'libcap2', 'libsystemd0', 'zlib1g'],
  ...['libzstd1', 'libssl3t64', 'libcom-err2', 'libkrb5support0', 'libk5crypto3', 'libkeyutils1', 'libkrb5-3'],
  ...['libgssapi-krb5-2', 'libicu76', 'libsasl2-2', 'libldap2', 'liblzma5', 'libxml2', 'libxslt1.1', 'liblz4-1'],
  ...['libreadline8t64', 'libtinfo6', 'libuuid1', 'libnuma1', 'libgpg-error0', 'libgcrypt20', 'libxxhash0'],
];
/** Not needed to run. */
const LEFT_OUT = [
  'usr/share/doc',
  'usr/share/man',
  'usr/share/locale',
  'usr/lib/postgresql/17/lib/bitcode',
  'usr/share/i18n',
];

/**
 * Returns the root of the tree, made when the cache lacks it (45 MB to download, seconds); undefined, with the reason said,
 * where it can't be had: then the tests of newer servers are skipped, which the report lists, and fail where CI is set.
 */
export async function postgres17(): Promise<string | undefined> {
  try {
    return path.dirname(await cached(TOOL, make));
  } catch (error) {
    const [reason] = (error instanceof Error ? error.message : String(error)).split('\n');
    say(`PostgreSQL 17 is not there (${reason ?? ''}): tests of servers newer than the tools are skipped.`);
    return undefined;
  }
}

/** What a set-up made, for tests that are started without one. */
export function postgres17Here(): string | undefined {
  const program = toolPath(TOOL);
  return existsSync(program) ? path.dirname(program) : undefined;
}

async function make(directory: string): Promise<void> {
  if (process.arch !== 'x64' || findProgram('apt-get') === undefined || !existsSync(KEYRING)) {
    throw new Error('it is made of the packages of Debian for amd64, with apt');
  }
  const scratch = mkdtempSync(path.join(tmpdir(), 'holdfast-debian-'));
  try {
    await doing('Fetching PostgreSQL 17 from Debian 13, for tests', async () => {
      const configuration = configure(scratch);
      const apt = (...args: string[]): Promise<string> =>
        withRetries(`apt-get ${args[0] ?? ''}`, () =>
          run('apt-get', ['-qq', ...args], { cwd: scratch, env: { APT_CONFIG: configuration }, timeoutMs: 300_000 }),
        );
      await apt('update');
      await apt('download', ...PACKAGES);
      for (const file of readdirSync(scratch).filter((name) => name.endsWith('.deb'))) {
        await run('dpkg-deb', ['--extract', path.join(scratch, file), directory]);
      }
    });
    for (const name of LEFT_OUT) rmSync(path.join(directory, name), { recursive: true, force: true });
    for (const name of ['bin', 'lib', 'lib64', 'sbin']) {
      if (!existsSync(path.join(directory, name))) symlinkSync(`usr/${name}`, path.join(directory, name));
    }
    symlinkSync(PROGRAM, path.join(directory, TOOL.program));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** An apt of its own: other sources, other lists, no installed packages. */
function configure(scratch: string): string {
  for (const each of ['lists/partial', 'archives/partial']) mkdirSync(path.join(scratch, each), { recursive: true });
  writeFileSync(path.join(scratch, 'status'), '');
  writeFileSync(path.join(scratch, 'sources.list'), `deb [signed-by=${KEYRING}] ${MIRROR} trixie main\n`);
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
