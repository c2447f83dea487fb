/** A restored cluster is started privately and recovers to the point that was asked for. */
import { HoldfastError } from '../../failures.ts';
import { parseRecoveryTarget, type RecoveryTarget } from '../../policy/recovery-target.ts';
import { withPrivateServer, type PrivateServer } from '../../postgres/private-server.ts';
import type { KindContext } from '../kinds/component.ts';
import { roomForTransactions } from './control-data.ts';
import type { ClusterFacts } from './facts.ts';
import { endedTooEarly, orderRecovery } from './recovery.ts';
import { keepOwner } from './unpack.ts';

/** What is known of a cluster whose recovery was ordered. */
export interface Expected {
  readonly facts: ClusterFacts;
  readonly recoverTo: string | null;
  readonly timeline: number;
  /** Everything that was committed before this moment is in the log that was copied. */
  readonly heldUntilMs: number | null;
}

export interface Recovering {
  readonly directory: string;
  readonly programs: string;
  readonly expected: Expected;
  readonly neverArchive: boolean;
  /** Further settings of the server, such as those for one that is thrown away. */
  readonly settings?: Readonly<Record<string, string | number | boolean>>;
}

export interface Recovered<T> {
  readonly value: T;
  /** Why the end of the log is the state at the time that was asked for. */
  readonly quiet?: string;
}

/** Little enough to stand beside a production server. Connections come when recovery is over. */
const SETTINGS = { hot_standby: false, shared_buffers: '128MB', max_connections: 20 } as const;

/**
 * Gives `use` the server when recovery has ended, and stops it afterwards. Repeatable: a cluster that has recovered just
 * starts. Throws CheckFailed with what PostgreSQL refuses.
 *
 * PostgreSQL sees that it has come past a time by the next transaction only. In a quiet database none may have followed:
 * when the log is known to be held for longer than that time, its end is the state at that time.
 */
export async function recoverToTarget<T>(
  cluster: Recovering,
  context: KindContext,
  use: (server: PrivateServer) => Promise<T>,
): Promise<Recovered<T>> {
  const { expected, directory, neverArchive } = cluster;
  try {
    return { value: await recover(cluster, context, use) };
  } catch (error) {
    const target = expected.recoverTo === null ? undefined : parseRecoveryTarget(expected.recoverTo);
    if (!isQuiet(error, target, expected)) throw error;
    await orderRecovery(directory, { target: { kind: 'end' }, timeline: expected.timeline, neverArchive });
    await keepOwner(directory, []);
    const quiet = `nothing was committed between ${target.text} and the end of the log, which is held for longer`;
    return { quiet, value: await recover(cluster, context, use) };
  }
}

function isQuiet(
  error: unknown,
  target: RecoveryTarget | undefined,
  { heldUntilMs }: Expected,
): target is Extract<RecoveryTarget, { kind: 'time' }> {
  if (!(error instanceof HoldfastError) || !endedTooEarly(error.message)) return false;
  return target?.kind === 'time' && heldUntilMs !== null && target.atMs <= heldUntilMs;
}

async function recover<T>(
  { directory, programs, settings }: Recovering,
  context: KindContext,
  use: (server: PrivateServer) => Promise<T>,
): Promise<T> {
  context.report({ phase: 'recover' });
  const room = await roomForTransactions(programs, directory, context.signal);
  return withPrivateServer(
    {
      dataDirectory: directory,
      toolsDirectory: programs,
      settings: { ...SETTINGS, ...room, ...settings },
      signal: context.signal,
      onStarting: (line) => context.report({ phase: `recover: ${line.slice(0, 120)}` }),
    },
    use,
  );
}
