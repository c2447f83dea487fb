/** What PostgreSQL, its tools and the network say when something fails, as failures an operator can act on. Pure. */
import { type FailureCode, HoldfastError } from '../failures.ts';

interface Cause {
  readonly code: FailureCode;
  readonly hint?: string;
}

const SHORT_OF_RIGHTS = 'Grant what is missing: `holdfast grants <system> <component>` prints the SQL.';
const NO_LOGIN = 'Check user and password in the system file, and the lines of pg_hba.conf for this role and address.';
const NO_DATABASE = 'Check the names of databases in the system file.';

/** By SQLSTATE, else by its class (the first two characters). PostgreSQL documentation, appendix A. */
const STATES: Readonly<Record<string, Cause>> = {
  '08': { code: 'PostgresUnreachable' },
  '28': { code: 'PostgresDenied', hint: NO_LOGIN },
  '53': { code: 'PostgresUnreachable' },
  '57': { code: 'PostgresUnreachable' },
  '3D000': { code: 'SourceMissing', hint: NO_DATABASE },
  '42501': { code: 'PostgresDenied', hint: SHORT_OF_RIGHTS },
  '53100': { code: 'DiskFull' },
  '40001': { code: 'PostgresConflict' },
  '55P03': { code: 'PostgresLocked' },
  '57P04': { code: 'PostgresConflict' },
  XX001: { code: 'SourceCorrupt' },
  XX002: { code: 'SourceCorrupt' },
};

const NO_ANSWER = new Set([
  ...['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN'],
  ...['ENOENT', 'EADDRNOTAVAIL'],
]);
const CUT =
  /connection terminated|timeout expired|socket (?:hang up|closed)|client has encountered a connection error/i;
const UNTRUSTED = /certificate|altname|self[- ]signed/i;
const UNTRUSTED_HINT = 'Check `caFile` and `address`: the server must show a certificate for that name.';

/** What was thrown while doing something, as a failure. One that is a HoldfastError already stays it. */
export function postgresFailure(error: unknown, doing: string): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const text = messageOf(error);
  const { code: failure, hint } = causeOf(field(error, 'code'), text);
  return new HoldfastError(failure, `${doing}: ${text}`, {
    cause: error,
    ...(hint === undefined ? {} : { hint }),
    ...(field(error, 'code') === undefined ? {} : { details: { sqlState: field(error, 'code') } }),
  });
}

/** Connection, conflict, resources, a lock held by others, an operator at work: what passes without anybody changing the query. */
const PASSING = new Set(['08', '40', '53', '55', '57']);

/**
 * Of a query that somebody wrote: whether the server said something that will be the same the next time, such as a syntax
 * error, a missing table or a missing right. False for what has no SQLSTATE, which is no word of the server.
 */
export function isFinalForQuery({ details }: HoldfastError): boolean {
  const state = details['sqlState'];
  return typeof state === 'string' && /^[0-9A-Z]{5}$/.test(state) && !PASSING.has(state.slice(0, 2));
}

function causeOf(code: string | undefined, text: string): Cause {
  // Before what looks like an SQLSTATE: EPIPE and EPERM have five letters, too.
  if (code === 'EACCES' || code === 'EPERM') return { code: 'PostgresDenied', hint: NO_LOGIN };
  if (code !== undefined && NO_ANSWER.has(code)) return { code: 'PostgresUnreachable' };
  if (code !== undefined && /^[0-9A-Z]{5}$/.test(code)) {
    return STATES[code] ?? STATES[code.slice(0, 2)] ?? { code: 'PostgresRefused' };
  }
  if (CUT.test(text)) return { code: 'PostgresUnreachable' };
  if (/password must be a (?:non-empty )?string/i.test(text)) {
    return { code: 'PostgresDenied', hint: 'The server asks for a password: give `password` in the system file.' };
  }
  if (/does not support SSL/i.test(text)) return { code: 'PostgresDenied', hint: 'Turn TLS on, or remove `tls`.' };
  if (UNTRUSTED.test(text) || UNTRUSTED.test(code ?? '')) return { code: 'PostgresDenied', hint: UNTRUSTED_HINT };
  return { code: 'PostgresRefused' };
}

/** What the tools write to stderr; the server's part of it is in the server's language, so that this is best effort. */
const TOOL_SAYS: readonly (readonly [RegExp, Cause])[] = [
  [/aborting because of server version mismatch/, { code: 'PostgresVersion' }],
  // pg_dump waits for locks by a limit on its statement.
  [/canceling statement due to (?:lock|statement) timeout/, { code: 'PostgresLocked' }],
  [/conflict with recovery|recovery is in progress/, { code: 'PostgresConflict' }],
  [/No space left on device|could not extend file/, { code: 'DiskFull' }],
  [
    /password authentication failed|no pg_hba\.conf entry|Peer authentication failed|no password supplied|role ".*" does not exist/,
    { code: 'PostgresDenied', hint: NO_LOGIN },
  ],
  [
    /permission denied|affected by row-level security|must be (?:superuser|owner|(?:a )?member|able to SET ROLE)/i,
    { code: 'PostgresDenied', hint: SHORT_OF_RIGHTS },
  ],
  [/database ".*" does not exist/, { code: 'SourceMissing', hint: NO_DATABASE }],
  [/no matching (?:tables|schemas) were found/, { code: 'SourceMissing', hint: 'Check `tables` in the system file.' }],
  [
    /server closed the connection|connection to server .* failed|could not receive data|terminating connection|the database system is|SSL connection has been closed|too many clients|remaining connection slots/,
    { code: 'PostgresUnreachable' },
  ],
  [/invalid page|could not read block|invalid memory alloc|missing chunk number/, { code: 'SourceCorrupt' }],
];

export interface ToolEnd {
  /** Undefined when a signal ended it. */
  readonly exitCode: number | undefined;
  readonly killedBy: string | undefined;
  readonly stderr: string;
}

const LINES_TOLD = 6;
const CHARACTERS_TOLD = 1500;

/** Undefined when it ended well. `secret` never appears in the message. */
export function toolFailure(tool: string, end: ToolEnd, secret: string | undefined): HoldfastError | undefined {
  if (end.exitCode === 0) return undefined;
  const [, { code, hint }] = TOOL_SAYS.find(([pattern]) => pattern.test(end.stderr)) ?? [
    undefined,
    { code: 'PostgresToolFailed' as const },
  ];
  const how = end.exitCode === undefined ? `was killed by ${end.killedBy ?? 'a signal'}` : `ended with ${end.exitCode}`;
  const said = lastLines(end.stderr, secret);
  return new HoldfastError(code, `${tool} ${how}${said === '' ? '' : `: ${said}`}`, {
    ...(hint === undefined ? {} : { hint }),
    details: { tool, exitCode: end.exitCode ?? null },
  });
}

/** Damage has a status of its own; with every other one pg_amcheck could not look, which says nothing about the data. */
export function isDamageFound(failure: HoldfastError): boolean {
  return failure.details['tool'] === 'pg_amcheck' && failure.details['exitCode'] === 2;
}

/** The last lines of what a tool wrote, in one line, without the secret. */
export function lastLines(stderr: string, secret: string | undefined): string {
  const lines = stderr
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .slice(-LINES_TOLD)
    .join(' | ')
    .slice(-CHARACTERS_TOLD);
  // Shorter ones are words of any message; and no tool is known to print one.
  return secret === undefined || secret.length < 4 ? lines : lines.replaceAll(secret, '[secret]');
}

function messageOf(error: unknown): string {
  // A name with several addresses, of which none answered.
  if (error instanceof AggregateError && error.message === '') {
    return error.errors.map((each) => (each instanceof Error ? each.message : String(each))).join('; ');
  }
  return error instanceof Error ? error.message : String(error);
}

function field(value: unknown, name: string): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const found: unknown = Reflect.get(value, name);
  return typeof found === 'string' ? found : undefined;
}
