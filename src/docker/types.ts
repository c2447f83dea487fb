/** The Docker engine as Holdfast uses it, on one host. All methods throw HoldfastError. */
import type { FreezeRecord } from '../vault/types.ts';

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
  readonly volumes: readonly string[];
}

export interface VolumeFacts {
  readonly name: string;
  readonly driver: string;
  /** Where its data lies on this host; undefined when the driver does not say or it is not reachable. */
  readonly path?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
}

/** What a freeze holds; written to disk before anything is touched, so that anybody can release it. */
export interface FreezeIntent {
  readonly freezeId: string;
  readonly system: string;
  readonly mode: 'pause' | 'stop';
  readonly budgetSeconds: number;
  /** Only containers that were running (not paused, not stopped by the operator); in the order to stop. */
  readonly containers: readonly { readonly id: string; readonly name: string; readonly startedAt: string }[];
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
    network: 'none';
    timeoutMs: number;
    signal: AbortSignal;
  }): Promise<{ exitCode: number; output: string }>;
  version(): Promise<{ engine: string; api: string }>;
  close(): void;
}
