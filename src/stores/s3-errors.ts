/** What an error of S3, of its SDK or of the network means for a store. */
import { HoldfastError } from '../failures.ts';
import { SilenceError } from './retry.ts';

interface S3Fault {
  /** S3's error code, such as NoSuchKey; the error's own name otherwise. */
  readonly name: string;
  readonly status: number | undefined;
  readonly networkCode: string | undefined;
}

/** An answer that cannot be S3's, or not all of it: a body cut short, a login page where an object should be. */
export class BrokenAnswerError extends Error {
  override readonly name = 'BrokenAnswerError';
}

/** Taken for the whole, what is left out would seem not to be there. */
export function cutListing(): BrokenAnswerError {
  return new BrokenAnswerError('a listing that says it goes on and not where');
}

const TRANSIENT_NAMES = new Set([
  'ConditionalRequestConflict',
  'RequestTimeout',
  'RequestTimeTooSkewed',
  'SlowDown',
  'ThrottlingException',
  'TimeoutError',
  'InternalError',
  'BadDigest',
  'IncompleteBody',
]);
const TRANSIENT_NETWORK = new Set([
  'ECONNRESET',
  'ECONNREFUSED',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EAI_AGAIN',
  'ENOTFOUND',
  'ERR_STREAM_PREMATURE_CLOSE',
  'HPE_INVALID_CONSTANT',
  'HPE_INVALID_EOF_STATE',
]);
/** Waiting does not make a certificate trusted. */
const CERTIFICATE_CODES = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_HAS_EXPIRED',
  'ERR_TLS_CERT_ALTNAME_INVALID',
]);
/** Statuses that say the request itself will never do, among those of the server's own faults. */
const NOT_IMPLEMENTED = 501;
const INSUFFICIENT_STORAGE = 507;

export function faultOf(cause: unknown): S3Fault {
  const name = field(cause, 'name');
  const status = field(field(cause, '$metadata'), 'httpStatusCode') ?? field(field(cause, '$response'), 'statusCode');
  const code = field(cause, 'code') ?? field(field(cause, 'cause'), 'code');
  return {
    name: typeof name === 'string' ? name : 'Error',
    status: typeof status === 'number' ? status : undefined,
    networkCode: typeof code === 'string' ? code : undefined,
  };
}

/** True for what may be gone a moment later: overload, lost connections, silence, bodies cut short. */
export function isTransient(cause: unknown): boolean {
  if (cause instanceof SilenceError || cause instanceof BrokenAnswerError) return true;
  if (cause instanceof HoldfastError) return false;
  const fault = faultOf(cause);
  if (TRANSIENT_NAMES.has(fault.name)) return true;
  const { status } = fault;
  if (status === 429 || status === 408) return true;
  if (status !== undefined && status >= 500) return status !== NOT_IMPLEMENTED && status !== INSUFFICIENT_STORAGE;
  if (fault.networkCode !== undefined && TRANSIENT_NETWORK.has(fault.networkCode)) return true;
  // An answer of 200 whose body cannot be parsed was cut, or came from something in between.
  return status !== undefined && status < 300;
}

export function isPreconditionFailed(cause: unknown): boolean {
  const { name, status } = faultOf(cause);
  return status === 412 || name === 'PreconditionFailed';
}

/** By name only: a server may answer 404 to unknown credentials, too. HEAD has no body, so there it is just NotFound. */
export function isNotFound(cause: unknown): boolean {
  const { name } = faultOf(cause);
  return name === 'NoSuchKey' || name === 'NotFound';
}

/** By the lock's own words where a server has such: AWS answers AccessDenied, MinIO InvalidRequest. */
export function speaksOfLock(cause: unknown): boolean {
  const { status } = faultOf(cause);
  const refused = status === 403 || status === 400;
  return refused && cause instanceof Error && /object lock|object is locked|\bWORM\b/i.test(cause.message);
}

/** GetObject's answer for what lies in an archive class and was not restored. */
export function isFrozen(cause: unknown): boolean {
  return faultOf(cause).name === 'InvalidObjectState';
}

/** Retry-After (RFC 9110, section 10.2.3): seconds or a date. */
export function askedPauseMs(cause: unknown): number | undefined {
  const headers = field(field(cause, '$response'), 'headers');
  const asked = field(headers, 'retry-after');
  const seconds = typeof asked === 'string' ? Number(asked) : Number.NaN;
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1000);
  const date = typeof asked === 'string' ? Date.parse(asked) : Number.NaN;
  return Number.isFinite(date) ? Math.max(0, date - Date.now()) : undefined;
}

/** `doing` says what was tried, such as `write chunks/ab/…`. */
export function s3Failure(label: string, doing: string, cause: unknown): HoldfastError {
  if (cause instanceof HoldfastError) return cause;
  const { name, status, networkCode } = faultOf(cause);
  const what = describe(cause, name, status).replace(/\.+$/, '');
  const text = (why: string) => `The ${label} does not let us ${doing}: ${why}.`;
  if (status === INSUFFICIENT_STORAGE || name === 'QuotaExceeded' || name === 'XMinioStorageFull') {
    return new HoldfastError('DiskFull', text(what), { cause });
  }
  if (name === 'NoSuchBucket') {
    const hint = 'Create the bucket, or correct its name, endpoint and region in the system file.';
    return new HoldfastError('StoreDenied', text('the bucket does not exist'), { cause, hint });
  }
  if (networkCode !== undefined && CERTIFICATE_CODES.has(networkCode)) {
    const hint = 'Name the authority of its certificate as caFile in the system file, or correct the endpoint.';
    return new HoldfastError('StoreDenied', text(`its certificate is not trusted (${networkCode})`), { cause, hint });
  }
  if (status === 400 && /ObjectLockConfiguration/i.test(what)) {
    const hint = 'The bucket was made without Object Lock; `holdfast store setup` says what it needs.';
    return new HoldfastError('StoreDenied', text(what), { cause, hint });
  }
  if (status === NOT_IMPLEMENTED) return new HoldfastError('StoreUnfit', text(what), { cause });
  if (isTransient(cause)) {
    return new HoldfastError('StoreUnreachable', `The ${label} could not be asked to ${doing}: ${what}.`, { cause });
  }
  const denied = name === 'CredentialsProviderError' || (status !== undefined && status >= 300);
  return new HoldfastError(denied ? 'StoreDenied' : 'StoreUnreachable', text(what), { cause });
}

function describe(cause: unknown, name: string, status: number | undefined): string {
  if (cause instanceof SilenceError || cause instanceof BrokenAnswerError) return cause.message;
  const message = cause instanceof Error ? cause.message : String(cause);
  const head = status === undefined ? name : `${status} ${name}`;
  return message === '' || message === name || message === 'UnknownError' ? head : `${head}, ${message}`;
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
