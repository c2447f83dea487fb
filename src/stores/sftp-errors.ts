/** What an error of SSH, of SFTP or of the network means for a store. By numbers and codes: texts may be in any language. */
import { HoldfastError } from '../failures.ts';
import { SilenceError } from './retry.ts';

/** draft-ietf-secsh-filexfer-02, section 7; all that OpenSSH's server ever sends. */
export const STATUS = {
  eof: 1,
  noSuchFile: 2,
  permissionDenied: 3,
  failure: 4,
  badMessage: 5,
  unsupported: 8,
} as const;

/** The connection, or the answer to a request, was lost: nobody knows whether the request was carried out. */
export class ConnectionLostError extends Error {
  override readonly name = 'ConnectionLostError';
}

/** Somebody else took away what was worked on: a file cut while it was read, a directory removed. */
export class VanishedError extends Error {
  override readonly name = 'VanishedError';
}

/** The status of an SFTP answer; undefined when the error is none. */
export function statusOf(cause: unknown): number | undefined {
  const code = field(cause, 'code');
  return typeof code === 'number' ? code : undefined;
}

export function isMissingFile(cause: unknown): boolean {
  return statusOf(cause) === STATUS.noSuchFile;
}

/** True for what may be gone a moment later: lost connections, silence, a server that lets nobody in for now. */
export function isTransientSftp(cause: unknown): boolean {
  if (cause instanceof HoldfastError || statusOf(cause) !== undefined) return false;
  if (cause instanceof SilenceError || cause instanceof ConnectionLostError || cause instanceof VanishedError)
    return true;
  return isNetworkFault(cause);
}

/** Whom the server does not let in: its keys, its password, its list of users. */
export function isRefusedLogin(cause: unknown): boolean {
  return field(cause, 'level') === 'client-authentication';
}

function isNetworkFault(cause: unknown): boolean {
  if (isRefusedLogin(cause)) return false;
  const level = field(cause, 'level');
  const code = field(cause, 'code');
  return typeof level === 'string' || (typeof code === 'string' && /^E[A-Z_]+$/.test(code));
}

/** `doing` says what was tried, such as `write chunks/ab/…`. */
export function sftpFailure(label: string, doing: string, cause: unknown): HoldfastError {
  if (cause instanceof HoldfastError) return cause;
  const text = (why: string) => `The ${label} does not let us ${doing}: ${why}.`;
  const status = statusOf(cause);
  if (status === STATUS.permissionDenied) {
    return new HoldfastError('StoreDenied', text('permission denied'), { cause });
  }
  if (status === STATUS.unsupported) {
    return new HoldfastError('StoreUnfit', text("the server can't do that"), { cause });
  }
  if (isRefusedLogin(cause)) {
    const hint = 'Check user, key and password of the store, and authorized_keys on the server.';
    return new HoldfastError('StoreDenied', text('the server does not accept the login'), { cause, hint });
  }
  const what = status === undefined ? describe(cause) : `the server says only that it failed (status ${status})`;
  return new HoldfastError('StoreUnreachable', text(what), { cause });
}

function describe(cause: unknown): string {
  const code = field(cause, 'code');
  const message = cause instanceof Error ? cause.message.replace(/\.+$/, '') : String(cause);
  return typeof code === 'string' && !message.includes(code) ? `${code}, ${message}` : message;
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
