/** Whether a container is as it should be, and whether it may be started without asking: by what the engine says of it. Pure. */

export interface ContainerSeen {
  readonly id: string;
  readonly name: string;
  readonly service?: string;
  readonly state: 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead';
  readonly health: 'none' | 'starting' | 'healthy' | 'unhealthy';
  /** Since when the health check has failed, as far as the engine remembers. */
  readonly unhealthySince?: string;
  readonly exitCode: number;
  /** Why the engine could not start it. */
  readonly error: string;
  readonly oomKilled: boolean;
  /** Docker's restart policy; empty or `no`: none. */
  readonly restartPolicy: string;
  /** Of `on-failure`; 0: without a limit. */
  readonly mostRestarts: number;
  /** Since it was last started by anybody but the engine itself. */
  readonly restarts: number;
  readonly startedAt: string;
  readonly finishedAt?: string;
  /** Somebody had the engine stop it. Undefined: the engine has forgotten. */
  readonly stoppedByHand?: boolean;
}

export type ContainerVerdict =
  | { readonly kind: 'fine' }
  /** As somebody wanted it to be. */
  | { readonly kind: 'left'; readonly why: string }
  | {
      readonly kind: 'broken';
      readonly how: 'down' | 'unhealthy' | 'looping';
      /** `has stopped (exit 137)`. */
      readonly what: string;
      readonly since?: string;
      /** Somebody may have wanted it so: nobody starts it on a guess. */
      readonly doubt?: string;
    };

/** A container that the engine started again so often, the last time so lately, does not stay up. */
const LOOP_RESTARTS = 3;
const LOOP_MS = 60_000;
/** What a stop by the engine's own signals looks like from outside, and what others can send, too. */
const BY_SIGNAL = [137, 143];
const FINE: ContainerVerdict = { kind: 'fine' };

export function judgeContainer(seen: ContainerSeen, nowMs: number): ContainerVerdict {
  switch (seen.state) {
    case 'running':
      return judgeRunning(seen, nowMs);
    case 'restarting':
      return {
        kind: 'broken',
        how: 'looping',
        what: `is starting again and again (exit ${seen.exitCode})`,
        ...since(seen),
      };
    case 'paused':
      return { kind: 'left', why: 'is paused' };
    case 'removing':
      return FINE;
    case 'created':
      return { kind: 'broken', how: 'down', what: `was never started${because(seen)}` };
    case 'dead':
      return { kind: 'broken', how: 'down', what: `is dead${because(seen)}`, ...since(seen) };
    case 'exited':
      return judgeExited(seen);
  }
}

function judgeRunning(seen: ContainerSeen, nowMs: number): ContainerVerdict {
  const { restarts, startedAt, health, unhealthySince } = seen;
  if (restarts >= LOOP_RESTARTS && nowMs - Date.parse(startedAt) < LOOP_MS) {
    return { kind: 'broken', how: 'looping', what: `is starting again and again (${restarts} times)`, ...since(seen) };
  }
  if (health !== 'unhealthy') return FINE;
  const began = unhealthySince === undefined ? {} : { since: unhealthySince };
  return { kind: 'broken', how: 'unhealthy', what: 'is unhealthy', ...began };
}

/** A task that ran to its end, and what somebody had stopped, was meant to be down. */
function judgeExited(seen: ContainerSeen): ContainerVerdict {
  const { exitCode, error, oomKilled, restartPolicy, mostRestarts, restarts, stoppedByHand } = seen;
  if (stoppedByHand === true) return { kind: 'left', why: `was stopped by hand at ${seen.finishedAt ?? 'some time'}` };
  const comesBack = !['', 'no'].includes(restartPolicy);
  const fellOver = exitCode !== 0 || (comesBack && restartPolicy !== 'on-failure');
  if (!fellOver && error === '') return FINE;
  const memory = oomKilled ? ', out of memory' : '';
  const broken = {
    kind: 'broken',
    how: 'down',
    what: `has stopped (exit ${exitCode}${memory})${because(seen)}`,
    ...since(seen),
  } as const;
  const gaveUp = restartPolicy === 'on-failure' && mostRestarts > 0 && restarts >= mostRestarts;
  if (stoppedByHand === false || oomKilled || error !== '' || gaveUp) return broken;
  if (!comesBack && !BY_SIGNAL.includes(exitCode)) return broken;
  // The engine would have started it again by its policy, or its exit code is that of a stop.
  return { ...broken, doubt: 'it may have been stopped by hand: the engine does not remember' };
}

function because({ error }: ContainerSeen): string {
  return error === '' ? '' : `: ${error.split('\n')[0] ?? ''}`;
}

function since({ finishedAt }: ContainerSeen): { since?: string } {
  return finishedAt === undefined ? {} : { since: finishedAt };
}
