/** One line of a log for people and for programs. Pure. */
import type { Colours } from '../observe/colours.ts';
import type { LogLevel, LogLine } from '../observe/log-lines.ts';

const COLOUR = {
  trace: 'dim',
  debug: 'dim',
  info: 'green',
  warn: 'yellow',
  error: 'red',
  fatal: 'red',
} as const satisfies Record<LogLevel, keyof Colours>;

/** Told elsewhere in the line, or of use to programs only. */
const UNTOLD = ['room', 'role', 'host', 'runId', 'pid', 'hostname', 'sdkComponent'];

/** `12:04:05.123 warn  worker-a  activities: failed  system=shop activity=capture`; the time is local. */
export function lineText({ atMs, level, from, system, message, fields }: LogLine, colours: Colours): string {
  const { room, err } = fields;
  const who = typeof room === 'string' ? `${room}: ` : '';
  const rest = Object.entries(fields).filter(([name]) => name !== 'err' && !UNTOLD.includes(name));
  const facts = [...(system === undefined ? [] : [['system', system] as const]), ...rest]
    .map(([name, value]) => `${name}=${valueText(value)}`)
    .join(' ');
  const first = [
    colours.dim(timeText(atMs)),
    colours[COLOUR[level]](level.padEnd(5)),
    colours.cyan(from),
    `${who}${message}`,
    ...(facts === '' ? [] : [colours.dim(facts)]),
  ].join(' ');
  const why = errorText(err);
  return why === undefined ? first : `${first}\n  ${colours.red(why)}`;
}

function timeText(atMs: number): string {
  const at = new Date(atMs);
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  return `${day} ${time}.${String(at.getMilliseconds()).padStart(3, '0')}`;
}

function valueText(value: unknown): string {
  if (typeof value === 'string') return /^[\w./:@+-]+$/.test(value) ? value : JSON.stringify(value);
  return JSON.stringify(value);
}

function errorText(err: unknown): string | undefined {
  if (typeof err !== 'object' || err === null) return undefined;
  const { type, code, message, cause } = err as { type?: unknown; code?: unknown; message?: unknown; cause?: unknown };
  const name = [code, type].find((one): one is string => typeof one === 'string') ?? 'error';
  const own = `${name}: ${typeof message === 'string' ? message : ''}`;
  const below = errorText(cause);
  return below === undefined ? own : `${own}, because ${below}`;
}

/** All that the line says, as one JSON object, with the process it is from. */
export function lineJson({ from, atMs, level, system, message, fields }: LogLine): string {
  const own = system === undefined ? {} : { system };
  return JSON.stringify({ time: new Date(atMs).toISOString(), level, from, msg: message, ...own, ...fields });
}
