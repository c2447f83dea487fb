/** Lines of several logs as one story: read as they come, merged by time, chosen by level and system. Pure. */

/** One thing that was logged, with whatever could be made out. */
export interface LogLine {
  readonly atMs: number;
  readonly level: LogLevel;
  /** The process that wrote it: `server`, `worker`, `worker-<host>`. */
  readonly from: string;
  readonly system?: string;
  readonly message: string;
  /** Everything else it says. */
  readonly fields: Readonly<Record<string, unknown>>;
}

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/**
 * A line of this program or of the Temporal server is JSON; anything else, such as the stack of a process that died, is
 * its own message, at the time of the line before it, and an error when it reads like one.
 */
export function parseLogLine(text: string, from: string, before: { readonly atMs: number }): LogLine {
  const value = jsonOf(text);
  if (value === undefined) {
    const level = LIKE_AN_ERROR.test(text) ? 'error' : 'info';
    return { atMs: before.atMs, level, from, message: text, fields: {} };
  }
  const { time, ts, level, msg, message = msg, system, ...fields } = value;
  const at = Date.parse(typeof time === 'string' ? time : typeof ts === 'string' ? ts : '');
  return {
    atMs: Number.isNaN(at) ? before.atMs : at,
    level: levelOf(level),
    from,
    ...(typeof system === 'string' ? { system } : {}),
    message: typeof message === 'string' ? message : '',
    fields,
  };
}

const LIKE_AN_ERROR = /\b(?:[A-Za-z]*error|panic|fatal)\b|^\s+at /i;

function jsonOf(text: string): Record<string, unknown> | undefined {
  if (!text.startsWith('{')) return undefined;
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

function levelOf(level: unknown): LogLevel {
  const name = typeof level === 'string' ? level.toLowerCase() : '';
  return LOG_LEVELS.find((one) => one === name) ?? 'info';
}

export interface LogChoice {
  /** Only lines that tell of it. */
  readonly system?: string | undefined;
  /** This one and graver ones. */
  readonly level?: LogLevel | undefined;
}

export function isChosen(line: LogLine, { system, level = 'trace' }: LogChoice): boolean {
  if (LOG_LEVELS.indexOf(line.level) < LOG_LEVELS.indexOf(level)) return false;
  return system === undefined || line.system === system || isOfWorkflow(line, system);
}

/** Workflow ids begin with the system's name. */
function isOfWorkflow({ fields }: LogLine, system: string): boolean {
  const { workflowId } = fields;
  return typeof workflowId === 'string' && workflowId.startsWith(`${system}/`);
}

/** In order of time; what was written at the same time stays in the order of its log. */
export function byTime(lines: readonly LogLine[]): LogLine[] {
  return lines.toSorted((a, b) => a.atMs - b.atMs);
}
