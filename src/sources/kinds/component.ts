/** What every kind of component can do. One file a kind beside this one; `kinds/index.ts` joins them. */
import type { DockerHost } from '../../docker/types.ts';
import type { Artifact, ArtifactReader, WalSource } from '../../part.ts';
import type { OwnServer } from '../../postgres/own-server.ts';
import type { Component, SecretRef } from '../../system/types.ts';

export interface KindProgress {
  readonly phase: string;
  readonly bytesDone?: number;
  readonly bytesTotal?: number;
  readonly filesDone?: number;
}

export interface KindContext {
  readonly signal: AbortSignal;
  readonly report: (progress: KindProgress) => void;
  /** Connects on first use; throws DockerUnreachable. */
  readonly docker: () => DockerHost;
  /** A directory of this system on this host, for journals and scratch copies. */
  readonly stateDirectory: string;
  readonly system: string;
  /** Asks a restored database, on a server of its own, for further checks while that server is there. */
  readonly onScratchServer?: (there: ScratchDatabase) => Promise<CheckReport['checks']>;
  /** Default: where the system file says. */
  readonly resolveSecret?: (ref: SecretRef) => Promise<string>;
  /** A dump is restored into this server, and into no other. */
  readonly ownServer?: OwnServer;
  /** A capture stores what is there, also when its own checks would refuse it: it is only to be safe. */
  readonly raw?: boolean;
}

/** A server that is there for a restored copy alone; nobody needs a password. */
export interface ScratchDatabase {
  /** The directory of its socket. */
  readonly address: string;
  readonly port: number;
  readonly user: string;
  /** Live names → names there; those that are not in it have their own. */
  readonly databases: Readonly<Record<string, string>>;
}

/** Where artifacts go, one after the other or side by side; resolves when the artifact's chunks and lists are stored. */
export interface CaptureSink {
  store(artifact: Artifact): Promise<void>;
}

export interface Captured {
  readonly facts: Record<string, unknown>;
  readonly warnings: string[];
  /**
   * Every byte of it was put before the source's own checks on its way into the sink: of what is stored, only what this
   * capture added has to be read back.
   */
  readonly judged?: boolean;
}

/** What is there now, for the restore plan and for `doctor`. Ages and sizes are told, but not part of a digest. */
export interface LiveState {
  readonly exists: boolean;
  readonly sizeBytes?: number;
  readonly newestChangeMs?: number;
  /** Container names that use it at present. */
  readonly usedBy: readonly string[];
  readonly problems: readonly string[];
}

export interface RestoreTarget {
  /** Undefined: the component's own place. Otherwise a directory, volume or file of this name. */
  readonly elsewhere?: string;
  /** The copy is only checked and removed again, so that it may be made in a place of its own. */
  readonly verify?: boolean;
  /** Of this drill: it bears its label, and none that would make it part of a Compose project. */
  readonly drill?: string;
  /** Only these paths of a tree, relative, or these databases of a server; empty means all. */
  readonly paths: readonly string[];
  /** For a database cluster: `end`, `time:<RFC 3339>`, `lsn:<LSN>` or `name:<restore point>`. Default: the backup. */
  readonly recoverTo?: string;
  /** The write-ahead log of a cluster of this system identifier, when the vault has any. */
  readonly wal?: (systemIdentifier: string) => Promise<WalSource | undefined>;
}

/** A restored copy beside the live one. JSON: the workflow carries it from step to step. */
export interface Beside {
  readonly component: string;
  /** The restore's id: names of everything made for it derive from it, so that a repeat finds them. */
  readonly restoreId: string;
  /** Paths or volume names made. */
  readonly place: string;
  readonly facts: Readonly<Record<string, string | number | boolean>>;
}

/** What a restore has kept of the state before it, and nobody has removed since. */
export interface KeptAside {
  readonly restoreId: string;
  /** A path, the name of a volume, or `database a, b`. */
  readonly place: string;
  /** When it was kept, by the clock and the file systems of this host. */
  readonly sinceMs: number;
  /** False: its restore has not come to the end of its commit. */
  readonly committed: boolean;
  /** Containers, in any state, that have it mounted. */
  readonly usedBy: readonly string[];
}

export interface CheckReport {
  readonly ok: boolean;
  readonly checks: readonly { readonly name: string; readonly ok: boolean; readonly detail: string }[];
}

/**
 * Every method is safe to repeat after a crash at any line, honours `context.signal`, and throws HoldfastError.
 * Capture never changes the source. Until `swapIn` a restore changes nothing that is live.
 */
export interface ComponentKind<C extends Component = Component> {
  readonly kind: C['kind'];
  /** Stores what is stable before a freeze, so that inside it hardly anything is left. Its references are not kept. */
  hotPass?(component: C, sink: CaptureSink, context: KindContext): Promise<void>;
  capture(component: C, sink: CaptureSink, context: KindContext): Promise<Captured>;
  /** Reads what was captured against the source's own checks, after any freeze has ended (scratch copies allowed). */
  checkCaptured?(component: C, artifacts: readonly ArtifactReader[], context: KindContext): Promise<CheckReport>;
  inspect(component: C, context: KindContext): Promise<LiveState>;
  /** Restores beside the live state; what an earlier attempt left half-made is replaced. */
  restoreBeside(
    component: C,
    artifacts: readonly ArtifactReader[],
    target: RestoreTarget,
    restoreId: string,
    context: KindContext,
  ): Promise<Beside>;
  checkBeside(component: C, beside: Beside, context: KindContext): Promise<CheckReport>;
  /** Brings the copy into place under a journal, with its users stopped; the old state is kept aside. */
  swapIn(component: C, beside: Beside, context: KindContext): Promise<void>;
  /** Undoes swapIn, also a half-done one; without one it does nothing. */
  swapBack(component: C, beside: Beside, context: KindContext): Promise<void>;
  /**
   * For a run that is over and will never undo its swap: what it left shut, stopped or absent under the live name is as it
   * was. A swap that is complete is left alone: what is live by then may have been written to.
   */
  reopen?(component: C, beside: Beside, context: KindContext): Promise<void>;
  /**
   * The restore is committed: the old state is kept aside (its place is returned) or, with keep false, removed, also when
   * it was kept before.
   */
  commit(component: C, beside: Beside, options: { keep: boolean }, context: KindContext): Promise<{ aside?: string }>;
  /** What is kept aside on this host, for kinds of which no record of the restore tells. */
  keptAside?(component: C, context: KindContext): Promise<KeptAside[]>;
  /** Removes the copy beside when the restore ends without a swap. */
  discard(component: C, beside: Beside, context: KindContext): Promise<void>;
  /**
   * For kinds of which no record of the restore tells: removes the copy beside that a run left which is over. Throws
   * PlanChanged where it was swapped in, VolumeInUse where a container has it, in whatever state; both then stay.
   */
  discardLeft?(component: C, restoreId: string, context: KindContext): Promise<void>;
}
