/**
 * The images that temporal-docker-compose.yml and deploy/Dockerfile name, made without a registry: Temporal's own
 * Dockerfiles around the programs that were built, and for the others what is seen of the published ones from outside.
 * They live in a Docker engine of the suite's own, so that no machine keeps something else under a published name.
 */
import { cpSync, existsSync, linkSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { stringify } from 'yaml';
import { findTemporal } from '../../src/engine/tools.ts';
import { clusterPackages, debianBase, temporalServerParts, temporalUiParts } from '../setup/cluster.ts';
import type { ClusterDocker } from './docker.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const IMAGES = path.join(import.meta.dirname, 'images');
/** As Temporal's docker-bake.hcl gives it to its Dockerfiles. */
const ALPINE_TAG = 'holdfast-cluster';

interface Build {
  readonly image: string;
  readonly dockerfile: string;
  readonly context: string;
  readonly args?: Readonly<Record<string, string>>;
}

/** One image by BuildKit, which reads `<Dockerfile>.dockerignore` and `COPY --chmod`. */
export async function build(docker: ClusterDocker, { image, dockerfile, context, args = {} }: Build): Promise<void> {
  const project = mkdtempSync(path.join(tmpdir(), 'holdfast-build-'));
  try {
    const file = path.join(project, 'compose.yaml');
    const service = { image, build: { context, dockerfile, args } };
    writeFileSync(file, stringify({ name: 'holdfast-build', services: { image: service } }));
    await docker.compose('-f', file, '--progress', 'plain', 'build');
  } finally {
    rmSync(project, { recursive: true, force: true });
  }
}

/** The image of the workers as `docker build -f deploy/Dockerfile .` makes it. */
export async function buildWorkerImage(docker: ClusterDocker, image: string): Promise<void> {
  await build(docker, { image, dockerfile: path.join(ROOT, 'deploy', 'Dockerfile'), context: ROOT });
}

/** A file in a context; linked where it can be, because a program is large. */
function put(from: string, to: string): void {
  mkdirSync(path.dirname(to), { recursive: true });
  try {
    linkSync(from, to);
  } catch {
    cpSync(from, to, { recursive: true, dereference: false });
  }
}

/** Makes the images of the names that are given: `postgres:…`, `temporalio/…:…`, `node:…`. */
export async function standIns(docker: ClusterDocker, images: readonly string[]): Promise<void> {
  const context = mkdtempSync(path.join(tmpdir(), 'holdfast-images-'));
  const at = (...parts: string[]): string => path.join(context, ...parts);
  const own = (name: string): string => path.join(IMAGES, `${name}.Dockerfile`);
  try {
    await docker.run('import', await debianBase(), 'holdfast-cluster/debian:12');
    await build(docker, { image: `alpine:${ALPINE_TAG}`, dockerfile: own('alpine'), context: IMAGES });
    for (const image of images) {
      const [name = ''] = image.split(':');
      if (name.startsWith('temporalio/') && name !== 'temporalio/ui') {
        await temporalContext(at('temporal'));
        const dockerfile = at('temporal', 'targets', `${name.slice('temporalio/'.length)}.Dockerfile`);
        const args = { ALPINE_TAG, TARGETARCH: 'local' };
        await build(docker, { image, dockerfile, context: at('temporal'), args });
        continue;
      }
      const short = name === 'temporalio/ui' ? 'ui' : name;
      const args = await contextOf(short, at(short));
      await build(docker, { image, dockerfile: own(short), context: at(short), args });
    }
  } finally {
    rmSync(context, { recursive: true, force: true });
  }
}

/** What Temporal's Dockerfiles take, where its own build puts it. */
async function temporalContext(context: string): Promise<void> {
  if (existsSync(context)) return;
  const parts = await temporalServerParts();
  const temporal = await findTemporal();
  if (temporal === undefined) throw new Error('the temporal command is missing although set-up made it');
  cpSync(path.join(parts, 'docker'), context, { recursive: true });
  for (const name of ['temporal-server', 'temporal-sql-tool']) {
    put(path.join(parts, name), path.join(context, 'build', 'local', name));
  }
  put(temporal.path, path.join(context, 'build', 'local', 'temporal'));
  // Programs for other databases and for debugging, which no service calls.
  for (const name of ['temporal-cassandra-tool', 'temporal-elasticsearch-tool', 'tdbg']) {
    writeFileSync(path.join(context, 'build', 'local', name), '#!/bin/sh\necho "not in this image" >&2\nexit 127\n');
  }
  cpSync(path.join(parts, 'schema'), path.join(context, 'build', 'temporal', 'schema'), { recursive: true });
}

/** Fills a context; returns the arguments of its Dockerfile. */
async function contextOf(name: string, context: string): Promise<Readonly<Record<string, string>>> {
  mkdirSync(context);
  if (name === 'ui') {
    const parts = await temporalUiParts();
    for (const each of ['ui-server', 'docker', 'config']) put(path.join(parts, each), path.join(context, each));
  } else if (name === 'postgres') {
    put(path.join(IMAGES, 'postgres-entrypoint.sh'), path.join(context, 'postgres-entrypoint.sh'));
    cpSync(path.join(await clusterPackages(), 'postgres') + path.sep, path.join(context, 'postgres'), {
      recursive: true,
      verbatimSymlinks: true,
    });
  } else if (name === 'node') {
    put(process.execPath, path.join(context, 'node'));
    put(path.join(await clusterPackages(), 'node_modules', 'npm'), path.join(context, 'npm'));
    mkdirSync(path.join(context, 'extra-ca'));
    const authority = process.env['NODE_EXTRA_CA_CERTS'];
    if (authority === undefined || authority === '') return {};
    cpSync(authority, path.join(context, 'extra-ca', 'ca.pem'), { dereference: true });
    return { EXTRA_CA: '/usr/local/share/extra-ca/ca.pem' };
  } else {
    throw new Error(`no image is known in place of ${name}`);
  }
  return {};
}
