/** What one host of a site lacks to take a system over. Changes nothing. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { tell } from '../../observe/told.ts';
import type { HostReadiness } from '../../policy/failover/readiness.ts';
import { restartPolicies } from '../../sites/restart-policies.ts';
import { readLease } from '../../sites/site-files.ts';
import { unguardedUnits } from '../../sites/unit-starts.ts';
import { missingOf } from '../../sources/kinds/compose-create.ts';
import { parseInventory } from '../../sources/kinds/compose-inventory.ts';
import { readJsonArtifact } from '../../sources/kinds/json-artifact.ts';
import { artifactNamed } from '../../sources/kinds/volume-facts.ts';
import { diskOf } from '../../status/disk-look.ts';
import type { Component, System } from '../../system/index.ts';
import { componentOf, type HostContext } from '../host-context.ts';
import { whatIsLacking } from '../lacking.ts';
import type { ReadinessActivities, ReadyPart } from '../readiness-types.ts';
import type { Run } from '../shell.ts';

type Found = Omit<HostReadiness, 'silent'>;

export async function lookReadiness(
  context: HostContext,
  { system: name, parts }: Parameters<ReadinessActivities['lookReadiness']>[0],
  run: Run,
): Promise<Found> {
  const system = await context.system(name);
  const unseen: string[] = [];
  /** What can't be looked at is told, and keeps nothing else from being looked at. */
  const unless = async <T>(what: string, otherwise: T, look: () => Promise<T>): Promise<T> => {
    try {
      run.report({ phase: what });
      return await look();
    } catch (error) {
      run.signal.throwIfAborted();
      unseen.push(`${what}: ${tell(error).message}`);
      return otherwise;
    }
  };
  const found = {
    host: context.host,
    lacking: await whatIsLacking(context, system, run.signal),
    room: await unless('room', [], () => roomFor(context, system, parts)),
    imagesMissing: await unless('images', [], () => imagesMissing(context, system, parts, run.signal)),
    startByThemselves: [
      ...(await unless('restart policies', [], () => startByThemselves(context, system))),
      ...(await unless('units', [], () => unitsByThemselves(context, system, run.signal))),
    ],
  };
  const guard = await guardHere(system);
  return { ...found, unseen, ...(guard === undefined ? {} : { guard }) };
}

/** By disk: a copy beside what is live, of all that lies on it. Of databases inside a server only the server knows. */
async function roomFor(context: HostContext, system: System, parts: readonly ReadyPart[]): Promise<Found['room']> {
  const byMount = new Map<string, Found['room'][number]>();
  for (const { name, sizeBytes } of parts) {
    const place = await placeOf(context, componentOf(system, name));
    if (place === undefined) continue;
    const { mount, freeBytes, totalBytes } = await diskOf(nearest(place));
    const known = byMount.get(mount)?.neededBytes ?? 0;
    byMount.set(mount, { directory: mount, neededBytes: known + sizeBytes, freeBytes, totalBytes });
  }
  return [...byMount.values()];
}

async function placeOf(context: HostContext, component: Component): Promise<string | undefined> {
  switch (component.kind) {
    case 'files':
    case 'sqlite':
      return component.path;
    case 'compose':
      return component.directory;
    case 'volume':
      return (await context.docker().volume(component.volume))?.path ?? '/var/lib/docker/volumes';
    case 'postgres':
      return component.method === 'base' ? component.dataDirectory : undefined;
    case 'systemd':
      return undefined;
  }
}

/** The place itself may not be there yet. */
function nearest(place: string): string {
  let found = place;
  while (!existsSync(found) && path.dirname(found) !== found) found = path.dirname(found);
  return found;
}

async function imagesMissing(
  context: HostContext,
  system: System,
  parts: readonly ReadyPart[],
  signal: AbortSignal,
): Promise<string[]> {
  const missing: string[] = [];
  for (const { name, store, manifestKey } of parts) {
    if (componentOf(system, name).kind !== 'compose') continue;
    await context.withReader(system, store, async (vault) => {
      const artifacts = await (await vault.open(manifestKey)).artifacts(name);
      const inventory = parseInventory(await readJsonArtifact(artifactNamed(artifacts, 'compose.json'), signal));
      if (inventory === undefined) return;
      const saved = inventory.images.filter((image) => image.artifact !== undefined).map(({ reference }) => reference);
      const { images } = await missingOf(context.docker(), inventory);
      missing.push(...images.filter((image) => !saved.includes(image)));
    });
  }
  return missing;
}

async function startByThemselves(context: HostContext, system: System): Promise<string[]> {
  const found = await restartPolicies({ system, host: context.host, docker: context.docker() });
  return found.map(({ container, policy }) => `${container} (restart: ${policy})`);
}

/** With other fencing than a lease there is no guard that would start them. */
async function unitsByThemselves({ host }: HostContext, system: System, signal: AbortSignal): Promise<string[]> {
  return system.failover?.fencing === 'lease' ? unguardedUnits({ system, host }, signal) : [];
}

/** Undefined where none is needed. */
async function guardHere(system: System): Promise<Found['guard']> {
  if (system.failover?.fencing !== 'lease') return undefined;
  const lease = await readLease(system.name);
  if (lease === undefined) return { running: false, told: 'no guard has run on this machine since it was started' };
  const running = existsSync(`/proc/${lease.pid}`);
  return { running, told: running ? lease.told : `its guard is gone; the last that it said: ${lease.told}` };
}
