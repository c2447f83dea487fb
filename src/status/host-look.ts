/** What one host says of itself to `monitor`: disks, components, tools, rights, and its clock. Changes nothing. */
import { readdir, stat } from 'node:fs/promises';
import { connectDocker } from '../docker/connect.ts';
import { readJournals } from '../docker/freeze-journal.ts';
import type { DockerHost } from '../docker/types.ts';
import type { HostLook, NotSeen, ServiceSeen, TroubleSeen } from '../policy/host-look.ts';
import { holdfastHome, keysDirectory, stateDirectory, systemsDirectory } from '../system/home.ts';
import type { Component, SecretRef, System } from '../system/types.ts';
import { lookAtComponent } from './component-look.ts';
import { lookAtDisks } from './disk-look.ts';

export interface LookOptions {
  readonly signal: AbortSignal;
  /** Why components are not to be looked at now, such as a restore that has stopped them. */
  readonly heldBy?: string;
  readonly docker?: () => DockerHost;
  readonly nowMs?: () => number;
}

/** One component may take so long; they are looked at beside each other. */
const COMPONENT_LIMIT_MS = 20_000;

/** Never longer than about half a minute, whatever hangs. */
export async function lookAtHost(system: System, host: string, options: LookOptions): Promise<HostLook> {
  const nowMs = (options.nowMs ?? Date.now)();
  const [disks, components, rights] = await Promise.all([
    lookAtDisks(system, host),
    lookAtComponents(system, host, options),
    lookAtRights(system),
  ]);
  return {
    host,
    nowMs,
    disks: disks.seen,
    disksUnseen: disks.unseen,
    components: components.troubles,
    services: components.services,
    componentsUnseen: components.unseen,
    tools: components.tools,
    rights,
  };
}

interface ComponentsSeen {
  readonly troubles: readonly TroubleSeen[];
  readonly services: readonly ServiceSeen[];
  readonly tools: readonly TroubleSeen[];
  readonly unseen: readonly NotSeen[];
}

async function lookAtComponents(system: System, host: string, options: LookOptions): Promise<ComponentsSeen> {
  const own = system.components.filter((component) => component.host === host);
  const why = options.heldBy ?? (await frozen(system));
  if (why !== undefined) {
    return { troubles: [], services: [], tools: [], unseen: own.map(({ name }) => ({ subject: name, why })) };
  }
  let opened: DockerHost | undefined;
  const docker = options.docker ?? ((): DockerHost => (opened ??= connectDocker()));
  const look = (component: Component) =>
    lookAtComponent(
      system,
      component,
      docker,
      AbortSignal.any([options.signal, AbortSignal.timeout(COMPONENT_LIMIT_MS)]),
    );
  try {
    const looks = await Promise.all(own.map(look));
    options.signal.throwIfAborted();
    // What was begun meanwhile has stopped what was seen stopped.
    const since = await frozen(system);
    if (since !== undefined) {
      return { troubles: [], services: [], tools: [], unseen: own.map(({ name }) => ({ subject: name, why: since })) };
    }
    return {
      troubles: looks.flatMap(({ troubles }) => oneEach(troubles)),
      services: looks.flatMap(({ services }) => services),
      tools: looks.flatMap(({ tools }) => tools),
      unseen: [],
    };
  } finally {
    opened?.close();
  }
}

/** Several troubles of one component are one finding. */
function oneEach(troubles: readonly TroubleSeen[]): TroubleSeen[] {
  const [first, ...rest] = troubles;
  if (first === undefined) return [];
  return [{ ...first, what: [first, ...rest].map(({ what }) => what).join('; ') }];
}

async function frozen(system: System): Promise<string | undefined> {
  const { journals } = await readJournals(stateDirectory(system.name));
  const [journal] = journals;
  return journal === undefined
    ? undefined
    : `a capture holds it still since ${new Date(journal.beganAtMs).toISOString()}`;
}

/** Key files and directories that others can read or write. */
async function lookAtRights(system: System): Promise<TroubleSeen[]> {
  const keys = keysDirectory(system.name);
  const names = await readdir(keys);
  const files = new Set([...secretFiles(system), ...names.map((name) => `${keys}/${name}`)]);
  const directories = [holdfastHome(), systemsDirectory(), stateDirectory(system.name)];
  const found = await Promise.all([
    ...[...files].map((path) => tooWide(path, 0o077, '600')),
    ...directories.map((path) => tooWide(path, 0o022, '700')),
    tooWide(keys, 0o077, '700'),
  ]);
  return found.filter((one) => one !== undefined);
}

function secretFiles(system: System): string[] {
  const { chunkIdKey, signer, keeper, identity } = system.keys;
  const ofStores = system.stores.flatMap((store) => Object.values(store) as unknown[]);
  const all: unknown[] = [chunkIdKey, signer, keeper, identity, system.monitor?.ping?.url, ...ofStores];
  return all.filter(isSecretFile).map(({ file }) => file);
}

function isSecretFile(value: unknown): value is Extract<SecretRef, { file: string }> {
  return typeof value === 'object' && value !== null && 'file' in value && typeof value.file === 'string';
}

/** Public halves and certificates are no secrets. What is not there is told by who needs it. */
async function tooWide(path: string, forbidden: number, wanted: string): Promise<TroubleSeen | undefined> {
  if (path.endsWith('.pub')) return undefined;
  const facts = await stat(path).catch(() => undefined);
  if (facts === undefined) return undefined;
  const mode = facts.mode & 0o777;
  const widths = mode & forbidden;
  if (widths === 0) return undefined;
  const who = (widths & 0o022) === 0 ? 'read' : 'changed';
  return {
    subject: path,
    what: `${path} can be ${who} by others (mode ${mode.toString(8)})`,
    hint: `chmod ${wanted} ${path}`,
  };
}
