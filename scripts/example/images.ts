/** Local stand-ins for the images that the Compose files name, with the real programs inside: no registry is needed. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type Docker from 'dockerode';
import { ensureNodeImage } from '../../sample/stack/image.ts';
import { SAMPLE_LABEL } from '../../sample/stack/labels.ts';
import { postgresImage } from '../../test/support/postgres/image.ts';
import type { Cleanup } from '../cleanup.ts';

const ROOT = join(import.meta.dirname, '..', '..');

/** A package and what it needs, by name, as they lie in this repository. */
export function packagesBelow(name: string, found: Record<string, string> = {}): Record<string, string> {
  const directory = join(ROOT, 'node_modules', name);
  if (found[name] !== undefined || !existsSync(directory)) return found;
  found[name] = directory;
  const manifest = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as {
    dependencies?: Record<string, string>;
  };
  for (const needed of Object.keys(manifest.dependencies ?? {})) packagesBelow(needed, found);
  return found;
}

/** What `docker build examples/services` gives where registries answer. */
export function servicesImage(docker: Docker, say: (text: string) => void): Promise<string> {
  const packages = Object.entries(packagesBelow('pg')).map(([name, from]) => [`node_modules/${name}`, from] as const);
  const trees = { '.': join(ROOT, 'examples', 'services'), ...Object.fromEntries(packages) };
  const wants = (file: string): boolean => /\.([cm]?js|ts|json)$/.test(file);
  return ensureNodeImage(docker, { repository: 'holdfast-example-services', trees, wants }, say);
}

/** A real PostgreSQL 15, of this machine's packages; removed at the end. */
export async function postgresStandIn(docker: Docker, suffix: string, cleanup: Cleanup): Promise<string> {
  const image = await postgresImage(docker, `example-${suffix}`, undefined, { [SAMPLE_LABEL]: 'image' });
  cleanup.add(() => docker.getImage(image).remove({ force: true }));
  return image;
}
