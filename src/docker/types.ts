/** The Docker engine as Holdfast uses it, on one host. All methods throw HoldfastError. */
import type { ContainerCreateOptions, ContainerInspectInfo, ImageInspectInfo, NetworkInspectInfo } from 'dockerode';

import type { FreezeRecord } from '../vault/types.ts';
import type { StartRight } from './start-right.ts';

export interface ContainerFacts {
  readonly id: string;
  readonly name: string;
  readonly image: string;
  readonly state: 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead';
  readonly startedAt: string;
  readonly health: 'none' | 'starting' | 'healthy' | 'unhealthy';
  readonly project?: string;
  readonly service?: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Names of the volumes it mounts. */
  readonly volumes: readonly string[];
  /** Those of `volumes` that it can write to. */
  readonly writes: readonly string[];
}

export interface VolumeFacts {
  readonly name: string;
  readonly driver: string;
  /** Where its data lies on this host; undefined when the driver does not say or it is not reachable. */
  readonly path?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
}

/**
 * What a freeze holds; written to disk before anything is touched, so that anybody can release it, with who says whether a
 * release may start anything.
 */
export interface FreezeIntent extends StartRight {
  readonly freezeId: string;
  readonly system: string;
  readonly mode: 'pause' | 'stop';
  readonly budgetSeconds: number;
  /** Only containers that were running (not paused, not stopped by the operator); in the order to stop. */
  readonly containers: readonly FrozenContainer[];
  /** Nobody else may start to write to these while the freeze is held. */
  readonly volumes: readonly string[];
  /** From when on a change of the containers breaks the freeze: before they were looked at. */
  readonly plannedAtMs: number;
}

export interface FrozenContainer {
  readonly id: string;
  readonly name: string;
  readonly startedAt: string;
  /** Containers of one level are stopped together; level 0 first. Started again in the opposite order. */
  readonly level: number;
  /** How long the engine waits for it to end by itself before it is killed. */
  readonly stopSeconds: number;
}

/** Keeps the guard of one state directory alive. The guard's own end is noticed, and a new one is started. */
export interface GuardLease {
  readonly pid: number;
  close(): void;
}

export interface HeldFreeze {
  readonly intent: FreezeIntent;
  readonly startedAtMs: number;
  /** Aborts when the guard's limit comes near: reading has to stop. */
  readonly signal: AbortSignal;
  /** Same containers, same start, still paused or stopped, guard not fired. Throws FreezeBroken, FreezeOverBudget. */
  prove(): Promise<void>;
  /** Starts or unpauses what this freeze holds, retried; resolves with the record when all of it runs again. */
  release(): Promise<FreezeRecord>;
}

export interface DockerHost {
  containersOf(filter: { volume?: string; project?: string; name?: string }): Promise<ContainerFacts[]>;
  volume(name: string): Promise<VolumeFacts | undefined>;
  createVolume(name: string, options: { labels: Record<string, string>; like?: VolumeFacts }): Promise<VolumeFacts>;
  removeVolume(name: string): Promise<void>;
  stop(id: string, timeoutSeconds: number): Promise<void>;
  start(id: string): Promise<void>;
  /** Sets the restart policy of a container to `no`, whether it runs or not. */
  neverRestart(id: string): Promise<void>;
  pause(id: string): Promise<void>;
  unpause(id: string): Promise<void>;
  inspect(id: string): Promise<ContainerFacts | undefined>;
  /** The last lines of a container's output, for error messages. */
  logTail(id: string, lines: number): Promise<string>;
  /** Runs a container to its end and removes it, also when aborted. */
  run(options: {
    image: string;
    command: readonly string[];
    binds: readonly string[];
    labels: Record<string, string>;
    /** None, or that of another container of Holdfast's own. */
    network: 'none' | `container:${string}`;
    securityOptions?: readonly string[];
    timeoutMs: number;
    signal: AbortSignal;
  }): Promise<{ exitCode: number; output: string }>;
  /**
   * Starts a program in a running container. It is ended when the signal aborts, when its output is no longer read, and
   * when this process dies.
   */
  exec(id: string, options: ExecOptions): Promise<RunningExec>;
  version(): Promise<{ engine: string; api: string }>;
  /** Everything the engine knows of a container, for inventories; undefined when there is none. */
  describe(id: string): Promise<ContainerInspectInfo | undefined>;
  describeImage(reference: string): Promise<ImageInspectInfo | undefined>;
  networksOf(project: string): Promise<NetworkInspectInfo[]>;
  createNetwork(
    name: string,
    options: {
      driver: string;
      internal: boolean;
      labels: Record<string, string>;
      driverOptions?: Record<string, string>;
    },
  ): Promise<void>;
  /** One that is gone already is no error. */
  removeNetwork(id: string): Promise<void>;
  /** Everything that bears this label with this value: ids of containers and networks, names of networks and volumes. */
  labelled(
    label: string,
    value: string,
  ): Promise<{ containers: string[]; networks: string[]; networkNames: string[]; volumes: string[] }>;
  /** Joins a created container to a further network; one that is in it already is no error. */
  joinNetwork(network: string, container: string, endpoint: Readonly<Record<string, unknown>>): Promise<void>;
  /** Creates without starting; the id is returned. */
  createContainer(spec: ContainerCreateOptions & { name: string }): Promise<string>;
  renameContainer(id: string, name: string): Promise<void>;
  /** Removes a container and its anonymous volumes; one that is gone already is no error. */
  removeContainer(id: string): Promise<void>;
  /** The engine's own archive of these images, as `docker save` writes it. */
  saveImages(references: readonly string[], signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** One that is gone, or that a container uses, is no error. */
  removeImage(reference: string): Promise<void>;
  loadImages(archive: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void>;
  /** Resolves when the engine is listening to; events from `sinceMs` on are delivered. Ends when the engine goes away. */
  events(options: EventFilter): Promise<AsyncIterable<DockerEvent>>;
  close(): void;
}

export interface ExecOptions {
  readonly command: readonly string[];
  /** Secrets may be here: the engine shows it to nobody afterwards. */
  readonly env?: Readonly<Record<string, string>>;
  /** Default: the container's own. */
  readonly user?: string;
  /** A program cannot tell an input that breaks off from one that ends: it is killed then, but may have acted. */
  readonly stdin?: AsyncIterable<Uint8Array>;
  readonly signal: AbortSignal;
}

export interface RunningExec {
  /** To be read to its end; nothing is read ahead of the reader beyond small buffers. */
  readonly stdout: AsyncIterable<Uint8Array>;
  /** Settles after the last of stdout was read. A program killed by a signal has 128 and its number. */
  readonly ended: Promise<{ readonly exitCode: number; readonly stderr: string }>;
}

export interface EventFilter {
  readonly sinceMs: number;
  /** Given: the events until then that the engine still remembers, and no more. */
  readonly untilMs?: number;
  readonly types: readonly ('container' | 'volume')[];
  readonly actions: readonly string[];
  readonly signal: AbortSignal;
}

export interface DockerEvent {
  readonly type: string;
  readonly action: string;
  /** Container id or volume name. */
  readonly subject: string;
  readonly attributes: Readonly<Record<string, string>>;
}
