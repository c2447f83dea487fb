/**
 * Structured logs on stderr: JSON lines, or readable ones on a terminal. HOLDFAST_LOG sets the level (default info).
 * stdout stays free for results. Whatever looks like a secret is masked. Every line says which process speaks and, within
 * an activity, for which system, operation and run.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { pino, type DestinationStream, type Logger } from 'pino';
import pretty from 'pino-pretty';
import { redact, redactText } from './redact.ts';

export type { Logger } from 'pino';

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

export interface LogOptions {
  /** Default HOLDFAST_LOG, else info. Unknown levels count as info. */
  readonly level?: string;
  /** Default stderr. Written synchronously, so that nothing is lost when a process ends. */
  readonly destination?: DestinationStream;
  /** Default: when stderr is a terminal. */
  readonly pretty?: boolean;
}

export function createLogger(options: LogOptions = {}): Logger {
  const wanted = options.level ?? process.env['HOLDFAST_LOG'] ?? 'info';
  return pino(
    {
      level: LEVELS.includes(wanted) ? wanted : 'info',
      base: {},
      mixin: (_line, _level, logger) => ({ ...bound, ...(told.has(logger as Logger) ? {} : within.getStore()) }),
      timestamp: pino.stdTimeFunctions.isoTime,
      // All masking happens here, once; pino's own error serializer would come after it and undo it.
      serializers: { err: (value: unknown) => value },
      formatters: {
        level: (label) => ({ level: label }),
        log: (object) => redact(object) as Record<string, unknown>,
      },
      // Bindings of child loggers pass no formatter, so the finished line is looked at once more.
      hooks: { streamWrite: redactText },
    },
    options.destination ?? standardError(options.pretty ?? process.stderr.isTTY),
  );
}

function standardError(readable: boolean): DestinationStream {
  if (!readable) return pino.destination({ dest: 2, sync: true });
  return pretty({ destination: 2, sync: true, ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss' });
}

export type LogFields = Readonly<Record<string, string | number>>;

const within = new AsyncLocalStorage<LogFields>();
/** Loggers that say the fields of their activity themselves. */
const told = new WeakSet<Logger>();

/** Every line that is logged while this work goes on, by whichever room, has these fields. */
export function withLogFields<T>(fields: LogFields, work: () => Promise<T>): Promise<T> {
  return within.run(fields, work);
}

/** A logger that has these fields also where nobody knows any more for whom it works, as in an event of a socket. */
export function logWith(room: string, fields: LogFields): Logger {
  const logger = log(room).child(fields);
  told.add(logger);
  return logger;
}

let root: Logger | undefined;
let bound: LogFields = {};

/** What every line of this process says from now on. */
export function bindLog(fields: LogFields): void {
  bound = fields;
}

/** The process's logger, with the room that speaks as `room`. */
export function log(room: string): Logger {
  root ??= createLogger();
  return root.child({ room });
}
