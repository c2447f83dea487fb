/** What the activities of one host share: systems, stores, vaults, the Docker engine. Opened on first use. */
import { connectDocker } from '../docker/connect.ts';
import type { DockerHost } from '../docker/types.ts';
import { HoldfastError } from '../failures.ts';
import type { WalSource } from '../part.ts';
import { giveBackFreedMemory } from '../sources/freed-memory.ts';
import type { KindContext } from '../sources/kinds/component.ts';
import type { HeldLog } from '../policy/reachable.ts';
import { withApart } from '../sites/apart.ts';
import { openStore, type Store } from '../stores/index.ts';
import { BRIEF_RETRIES, type RetryPolicy } from '../stores/retry.ts';
import { stateDirectory } from '../system/home.ts';
import {
  loadKnownSystem,
  loadSystem,
  resolveSecret,
  type Component,
  type KnownSystem,
  type System,
} from '../system/index.ts';
import {
  openReaderVault,
  openWalSource,
  openWalWriter,
  openWriterVault,
  parseChunkIdKey,
  readHeldLogs,
  type WalWriter,
} from '../vault/index.ts';
import { readCatalogue } from '../vault/catalogue.ts';
import { readHead } from '../vault/head.ts';
import { readTrustRoots } from '../vault/trust.ts';
import type { CatalogueEntry, ReaderKeys, ReaderVault, WriterKeys, WriterVault } from '../vault/types.ts';
import type { Run } from './shell.ts';

export interface CatalogueOptions {
  readonly plan?: string;
  readonly signal: AbortSignal;
  /** There are others to ask: a store that says nothing is left after half a minute. Default: it is tried for minutes. */
  readonly isBrief?: boolean;
}

export interface HostContext {
  readonly host: string;
  /** The system file as it is now. */
  system(name: string): Promise<System>;
  /** For who looks only: as the file was before it became bad. */
  knownSystem(name: string): Promise<KnownSystem>;
  docker(): DockerHost;
  stateDirectory(system: string): string;
  /** Runs `use` with the vault open for capturing; it stays open for a while, for the activities that follow. */
  withWriter<T>(system: System, store: string, use: (vault: WriterVault) => Promise<T>): Promise<T>;
  /** What the store tells of its backups, newest first. Needs no identity. */
  catalogue(system: System, store: string, options: CatalogueOptions): Promise<CatalogueEntry[]>;
  /** Opens the vault for reading, and closes it and its threads at the end. */
  withReader<T>(system: System, store: string, use: (vault: ReaderVault) => Promise<T>): Promise<T>;
  /** Opens a component's write-ahead log for storing, with the vault it lies in, and closes both at the end. */
  withWalWriter<T>(system: System, where: WalOf, use: (writer: WalWriter) => Promise<T>): Promise<T>;
  /**
   * The write-ahead log of one cluster for reading, for as long as `use` runs; undefined when the store has none. Throws
   * SecretMissing on a host without an identity.
   */
  withWalSource<T>(
    system: System,
    where: WalOf & { readonly systemIdentifier: string },
    use: (source: WalSource | undefined) => Promise<T>,
  ): Promise<T>;
  /** What a store holds of a component's log. On a host without an identity, without the histories of timelines. */
  heldLogs(system: System, where: WalOf, signal: AbortSignal): Promise<HeldLog[]>;
  /** For the kinds of components. */
  kindContext(system: System, run: Run): KindContext;
  close(): Promise<void>;
}

/** Where the write-ahead log of a component lies. */
export interface WalOf {
  readonly store: string;
  readonly component: string;
}

/** Long enough to serve one operation's activities, short enough that threads don't idle between two. */
const WRITER_IDLE_MS = 20_000;

export function createHostContext(host: string): HostContext {
  const writers = new WriterCache();
  let docker: DockerHost | undefined;
  const connected = (): DockerHost => (docker ??= connectDocker());
  return {
    host,
    system: loadSystem,
    knownSystem: loadKnownSystem,
    docker: connected,
    stateDirectory,
    withWriter: (system, store, use) => writers.with(system, store, use),
    catalogue,
    withReader: async (system, store, use) => {
      // Reading begins with threads of its own: those that wait for the next capture would stand beside them unused.
      await writers.endIdle();
      giveBackFreedMemory();
      return withReader(system, store, use);
    },
    withWalWriter,
    withWalSource,
    heldLogs,
    kindContext: (system, run) => ({
      signal: run.signal,
      report: run.report,
      docker: connected,
      stateDirectory: stateDirectory(system.name),
      system: system.name,
    }),
    close: async () => {
      await writers.close();
      docker?.close();
    },
  };
}

export function componentOf(system: System, name: string): Component {
  const found = system.components.find((component) => component.name === name);
  if (found !== undefined) return found;
  const known = system.components.map((component) => component.name).join(', ');
  throw new HoldfastError('BadInput', `${system.name} has no component ${name}; it has ${known}`);
}

async function openStoreOf(system: System, name: string, retries?: RetryPolicy): Promise<Store> {
  const config = system.stores.find((store) => store.name === name);
  if (config !== undefined) return openStore(config, resolveSecret, { retries });
  const known = system.stores.map((store) => store.name).join(', ');
  throw new HoldfastError('BadInput', `${system.name} has no store ${name}; it has ${known}`);
}

async function writerKeys({ keys }: System): Promise<WriterKeys> {
  const [chunkIdKey, signerKey] = await Promise.all([resolveSecret(keys.chunkIdKey), resolveSecret(keys.signer)]);
  const { recipients, rootFingerprint } = keys;
  return { recipients, chunkIdKey: parseChunkIdKey(chunkIdKey), signerKey, rootFingerprint };
}

async function openWriter(system: System, storeName: string): Promise<{ vault: WriterVault; store: Store }> {
  const keys = await writerKeys(system);
  const store = await openStoreOf(system, storeName);
  try {
    const vault = await openWriterVault({
      store,
      system: system.name,
      stateDirectory: stateDirectory(system.name),
      keys,
    });
    return { vault, store };
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function catalogue(system: System, name: string, options: CatalogueOptions): Promise<CatalogueEntry[]> {
  const store = await openStoreOf(system, name, options.isBrief === true ? BRIEF_RETRIES : undefined);
  try {
    const { vaultId } = await readHead(store, system.name);
    const roots = await readTrustRoots(store, vaultId, system.keys.rootFingerprint);
    const entries = await readCatalogue({ store, vaultId, roots }, options);
    return await withApart(system, entries, options.signal);
  } finally {
    await store.close();
  }
}

async function withWalWriter<T>(system: System, where: WalOf, use: (writer: WalWriter) => Promise<T>): Promise<T> {
  const keys = await writerKeys(system);
  const store = await openStoreOf(system, where.store);
  try {
    const writer = await openWalWriter({ store, system: system.name, component: where.component, keys });
    try {
      return await use(writer);
    } finally {
      await writer.close();
    }
  } finally {
    await store.close();
  }
}

async function withWalSource<T>(
  system: System,
  where: WalOf & { readonly systemIdentifier: string },
  use: (source: WalSource | undefined) => Promise<T>,
): Promise<T> {
  const keys = await readerKeys(system);
  const store = await openStoreOf(system, where.store);
  try {
    const { component, systemIdentifier } = where;
    const source = await openWalSource({ store, system: system.name, keys, component, systemIdentifier });
    try {
      return await use(source);
    } finally {
      await source?.close();
    }
  } finally {
    await store.close();
  }
}

async function heldLogs(system: System, { store: name, component }: WalOf, signal: AbortSignal): Promise<HeldLog[]> {
  const { identity, rootFingerprint } = system.keys;
  const keys = identity === undefined ? undefined : await readerKeys(system);
  const store = await openStoreOf(system, name);
  try {
    const asked = { system: system.name, rootFingerprint, component, signal };
    return await readHeldLogs(store, keys === undefined ? asked : { ...asked, keys });
  } finally {
    await store.close();
  }
}

async function readerKeys(system: System): Promise<ReaderKeys> {
  const { identity, rootFingerprint } = system.keys;
  if (identity === undefined) {
    throw new HoldfastError('SecretMissing', `this host holds no identity that reads the backups of ${system.name}`, {
      hint: 'Name one as keys.identity in the system file, or do this on a host that has one.',
    });
  }
  return { identities: identitiesIn(await resolveSecret(identity)), rootFingerprint };
}

async function withReader<T>(system: System, name: string, use: (vault: ReaderVault) => Promise<T>): Promise<T> {
  const keys = await readerKeys(system);
  const store = await openStoreOf(system, name);
  try {
    const vault = await openReaderVault({ store, system: system.name, keys });
    try {
      return await use(vault);
    } finally {
      await vault.close();
    }
  } finally {
    await store.close();
  }
}

export function identitiesIn(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}

interface Cached {
  readonly opened: Promise<{ vault: WriterVault; store: Store }>;
  users: number;
  broken: boolean;
  timer?: NodeJS.Timeout;
}

/** One open vault for a system file's text and store; what failed in use is not used again. */
class WriterCache {
  private readonly open = new Map<string, Cached>();

  async with<T>(system: System, store: string, use: (vault: WriterVault) => Promise<T>): Promise<T> {
    const key = `${store}\n${system.sourceText}`;
    const cached = this.open.get(key) ?? { opened: openWriter(system, store), users: 0, broken: false };
    this.open.set(key, cached);
    clearTimeout(cached.timer);
    cached.users += 1;
    try {
      const { vault } = await cached.opened;
      return await use(vault);
    } catch (error) {
      cached.broken = true;
      if (this.open.get(key) === cached) this.open.delete(key);
      throw error;
    } finally {
      cached.users -= 1;
      if (cached.users === 0) await this.rest(key, cached);
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.open].map(([key, cached]) => this.end(key, cached)));
  }

  /** Those that nobody uses at present. */
  async endIdle(): Promise<void> {
    const idle = [...this.open].filter(([, { users }]) => users === 0);
    await Promise.all(idle.map(([key, cached]) => this.end(key, cached)));
  }

  private async rest(key: string, cached: Cached): Promise<void> {
    if (cached.broken) return this.end(key, cached);
    // Nobody waits for this one: a failure to close harms nothing that is stored.
    cached.timer = setTimeout(() => void this.end(key, cached).catch(() => undefined), WRITER_IDLE_MS).unref();
  }

  private async end(key: string, cached: Cached): Promise<void> {
    clearTimeout(cached.timer);
    if (this.open.get(key) === cached) this.open.delete(key);
    const opened = await cached.opened.catch(() => undefined);
    await opened?.vault.close();
    await opened?.store.close();
  }
}
