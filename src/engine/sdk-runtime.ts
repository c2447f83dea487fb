/** The SDK's runtime of a worker process, installed once and before anything else of the SDK is used. */
import { DefaultLogger, Runtime, type LogEntry } from '@temporalio/worker';
import { log } from '../observe/log.ts';

export interface SdkMetricsOptions {
  readonly bindAddress: string;
  readonly countersTotalSuffix: boolean;
  readonly unitSuffix: boolean;
  readonly useSecondsForDurations: boolean;
}

/** What the SDK says goes into the log of the process, the words of its native part as well. */
export function installRuntime(metrics: SdkMetricsOptions | undefined): void {
  Runtime.install({
    logger: sdkLogger(),
    telemetryOptions: {
      logging: { filter: { core: 'WARN', other: 'ERROR' }, forward: {} },
      ...(metrics === undefined ? {} : { metrics: { prometheus: metrics } }),
    },
  });
}

/** For whatever of the SDK takes a logger. */
export function sdkLogger(): DefaultLogger {
  return new DefaultLogger('INFO', write);
}

const LEVELS = { TRACE: 'trace', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;

/** A warning that every worker of a host gives, as it should be. */
const NO_STORIES = 'No workflows registered';

function write({ level, message, meta = {} }: LogEntry): void {
  const { sdkComponent } = meta;
  // Of workers coming and going their own lines tell; what workflow code says is meant for people.
  const quiet = (level === 'INFO' && sdkComponent !== 'workflow') || message.startsWith(NO_STORIES);
  log('sdk')[quiet ? 'debug' : LEVELS[level]](fieldsOf(meta), message);
}

/** Names that all lines have, by the SDK's own. */
const NAMES: Readonly<Record<string, string>> = {
  workflowType: 'operation',
  workflowRunId: 'runId',
  activityType: 'activity',
  error: 'err',
};
/** Of no use to people. */
const LEFT_OUT = ['taskToken', 'isLocal', 'namespace', 'activityId'];

/** The SDK's attributes under the names that all lines have. */
export function fieldsOf(meta: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { workflowId } = meta;
  const [system] = typeof workflowId === 'string' && workflowId.includes('/') ? workflowId.split('/') : [];
  const own = Object.entries(meta)
    .filter(([name, value]) => value !== undefined && !LEFT_OUT.includes(name))
    .map(([name, value]) => [NAMES[name] ?? name, value] as const);
  return { ...(system === undefined ? {} : { system }), ...Object.fromEntries(own) };
}
