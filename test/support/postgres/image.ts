/** An image with a real PostgreSQL, made of the installed Debian packages: no registry is needed. */
import { execFile } from 'node:child_process';
import { chmod, copyFile, cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import type Docker from 'dockerode';
import { postgresBin } from './account.ts';

const run = promisify(execFile);
const REPOSITORY = 'holdfast-test-postgres';
const MAJOR = 15;
const NEWER_MAJOR = 17;
/** Where images of PostgreSQL keep their cluster, each container in a volume. */
export const CONTAINER_DATA = '/var/lib/postgresql/data';

const APPLETS = [
  ...['sh', 'su', 'cat', 'cp', 'mv', 'rm', 'ls', 'mkdir', 'chmod', 'chown', 'test', 'echo', 'sleep', 'true', 'false'],
  ...['env', 'id', 'head', 'tail', 'tar', 'du', 'df', 'stat', 'ps', 'kill', 'mktemp', 'timeout', 'sync', 'dd', 'wc'],
];

/**
 * As the official image does it: made on the first start with its user, database and scripts; by socket everybody is
 * trusted, else a password. Settings are given as `name=value`, or behind `postgres -c`.
 */
const ENTRYPOINT = `#!/bin/sh
set -e
data=${CONTAINER_DATA}
user="\${POSTGRES_USER:-postgres}"
base="\${POSTGRES_DB:-$user}"
chown postgres $data && chmod 700 $data
if [ ! -s $data/PG_VERSION ]; then
  printf %s "$POSTGRES_PASSWORD" > /tmp/password && chown postgres /tmp/password && chmod 600 /tmp/password
  su postgres -c "initdb -D $data -U '$user' --pwfile=/tmp/password --auth=trust --auth-host=scram-sha-256 \\
    -k -N -E UTF8 --locale=C.UTF-8 >/dev/null"
  rm /tmp/password
  echo 'host all all all scram-sha-256' >> $data/pg_hba.conf
  if [ "$base" != postgres ] || [ -d /docker-entrypoint-initdb.d ]; then
    su postgres -c "pg_ctl -D $data -o '-c listen_addresses=' -w start >/dev/null"
    [ "$base" = postgres ] || psql -q -U "$user" -d postgres -c "CREATE DATABASE \\"$base\\""
    for script in /docker-entrypoint-initdb.d/*.sql; do
      [ ! -f "$script" ] || psql -q -v ON_ERROR_STOP=1 -U "$user" -d "$base" -f "$script"
    done
    su postgres -c "pg_ctl -D $data -m fast -w stop >/dev/null"
  fi
fi
[ "$1" != postgres ] || shift
settings=''
for setting in "$@"; do [ "$setting" = -c ] || settings="$settings -c '$setting'"; done
exec su postgres -c "exec postgres -D $data -c listen_addresses=* $settings"
`;

/**
 * Makes the image under a tag of its own; the caller removes it. `newer`: the root of a tree with release 17 and the
 * libraries it needs.
 */
export async function postgresImage(
  raw: Docker,
  id: string,
  newer?: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-pg-image-'));
  const tree = join(directory, 'tree');
  try {
    await (newer === undefined ? layTree(tree) : layNewer(newer, tree));
    await run('tar', ['-C', tree, '--owner=0', '--group=0', '-cf', join(directory, 'image.tar'), '.']);
    const major = newer === undefined ? MAJOR : NEWER_MAJOR;
    const changes = [`ENV PATH=/usr/lib/postgresql/${major}/bin:/bin`, 'ENV LANG=C.UTF-8'];
    changes.push(`VOLUME ${CONTAINER_DATA}`, 'ENTRYPOINT ["/bin/entrypoint"]');
    changes.push(...Object.entries(labels).map(([name, value]) => `LABEL ${name}=${value}`));
    const stream = await raw.importImage(join(directory, 'image.tar'), { repo: REPOSITORY, tag: id, changes });
    await text(stream);
    return `${REPOSITORY}:${id}`;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function layTree(tree: string): Promise<void> {
  const home = dirname(postgresBin(MAJOR));
  const share = `/usr/share/postgresql/${MAJOR}`;
  const unneeded = /\/lib\/(bitcode|pgxs|llvmjit)/;
  for (const source of [home, share, '/usr/share/zoneinfo', '/usr/lib/locale/C.utf8']) {
    await cp(source, join(tree, source), {
      recursive: true,
      dereference: true,
      filter: (path) => !unneeded.test(path),
    });
  }
  for (const library of await librariesOf(tree, home)) {
    await mkdir(join(tree, dirname(library)), { recursive: true });
    await copyFile(library, join(tree, library));
  }
  await mkdir(join(tree, 'bin'));
  await layPlaces(tree);
}

/** The tree brings its own C library; programs of this machine beside it are static. Links where one disk allows it. */
async function layNewer(newer: string, tree: string): Promise<void> {
  await run('sh', ['-c', 'cp -al "$1" "$2" 2>/dev/null || { rm -rf "$2"; cp -a "$1" "$2"; }', 'sh', newer, tree]);
  await cp('/usr/share/zoneinfo', join(tree, 'usr/share/zoneinfo'), { recursive: true, dereference: true });
  await layPlaces(tree);
}

async function layPlaces(tree: string): Promise<void> {
  for (const each of ['etc', 'tmp', 'run/postgresql', CONTAINER_DATA, 'var'])
    await mkdir(join(tree, each), { recursive: true });
  await symlink('/run', join(tree, 'var/run'));
  for (const each of ['tmp', 'run/postgresql']) await chmod(join(tree, each), 0o1777);
  await layTools(tree);
}

async function layTools(tree: string): Promise<void> {
  const { stdout } = await run('sh', ['-c', 'command -v busybox']);
  await copyFile(stdout.trim(), join(tree, 'bin/busybox'));
  for (const name of APPLETS) await symlink('busybox', join(tree, 'bin', name));
  await writeFile(join(tree, 'bin/entrypoint'), ENTRYPOINT, { mode: 0o755 });
  const accounts = ['root:x:0:0:root:/:/bin/sh', 'postgres:x:999:999::/var/lib/postgresql:/bin/sh', ''];
  await writeFile(join(tree, 'etc/passwd'), accounts.join('\n'));
  await writeFile(join(tree, 'etc/group'), 'root:x:0:\npostgres:x:999:\n');
}

/** What the programs and the modules that were laid need of shared libraries, the loader among them. */
async function librariesOf(tree: string, home: string): Promise<string[]> {
  const found = new Set<string>();
  for (const directory of ['bin', 'lib']) {
    const names = await readdir(join(tree, home, directory));
    const objects = names.filter((name) => directory === 'bin' || name.endsWith('.so'));
    const paths = objects.map((name) => join(home, directory, name));
    // A script among the programs has no libraries, of which ldd complains with status 1.
    const { stdout } = await run('sh', ['-c', 'ldd "$@" 2>/dev/null || true', 'sh', ...paths], { maxBuffer: 16 << 20 });
    for (const [, path] of stdout.matchAll(/(?:=>|^\t)\s*(\/\S+) \(0x/gm)) if (path !== undefined) found.add(path);
  }
  return [...found];
}
